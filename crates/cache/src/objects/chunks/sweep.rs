//! Room that chunks took which nobody needs any more: packs that are mostly such are written anew without them.

use std::sync::PoisonError;

use aux_core::limits::{CACHE_BUCKET_LEAVING_SECONDS, CACHE_PACK_BYTES, CACHE_PACK_SMALL_BYTES, CACHE_PACKS_SMALL_MAX};
use jiff::Timestamp;

use super::super::ObjectError;
use super::Chunks;
use super::index::Chunk;
use super::pack::{Growing, Pack};
use super::packs::Packs;
use super::sealed::Sealed;

/// A pack is written anew when less than one in so many of its bytes is needed.
const LIVE_PART_MIN: u64 = 2;

impl Chunks {
    /// Removes packs that nobody needed for so long that no server can be reading them. Nothing may be kept meanwhile.
    pub(crate) fn settle(&self, now: Timestamp) -> Result<(), ObjectError> {
        let Packs::Sealed(sealed) = &self.packs else { return Ok(()) };
        let now = now.as_second();
        let going = self.index.settle(now, now.saturating_sub(CACHE_BUCKET_LEAVING_SECONDS))?;
        for number in &going {
            sealed.remove(*number)?;
        }
        if !going.is_empty() {
            self.index.forget_packs(&going)?;
        }
        // What was put, and whose row is gone with a database that went back to an older state.
        let written = self.index.written_packs()?;
        let (there, _) = sealed.list()?;
        there.into_keys().filter(|number| !written.contains_key(number)).try_for_each(|number| sealed.remove(number))
    }

    /// Forgets chunks that no NAR has, and gives back the room of packs. Who reads a pack that is removed reads on.
    pub(crate) fn sweep(&self) -> Result<(), ObjectError> {
        let _one = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.packs {
            Packs::Growing(_) if self.is_shared => Ok(()),
            Packs::Growing(growing) => {
                self.sweep_growing(growing)?;
                self.opened.forget();
                Ok(())
            }
            Packs::Sealed(sealed) => self.sweep_sealed(sealed),
        }
    }

    fn sweep_growing(&self, growing: &Growing) -> Result<(), ObjectError> {
        self.forget_unused()?;
        let live = self.index.packs()?;
        let (sizes, _) = growing.list()?;
        let is_wasteful = |number: u32| {
            let size = sizes.get(&number).copied().unwrap_or_default();
            let (_, needed) = live.get(&number).copied().unwrap_or_default();
            needed.saturating_mul(LIVE_PART_MIN) < size || needed == 0
        };
        // A pack that somebody appends to now is left for the next time.
        let closed = growing.close(&|number| sizes.contains_key(&number) && is_wasteful(number))?;
        closed.into_iter().try_for_each(|number| self.empty(growing, number))
    }

    /// Moves what is needed of a pack to another, and removes it.
    fn empty(&self, growing: &Growing, number: u32) -> Result<(), ObjectError> {
        let mut chunks = self.index.in_pack(number)?;
        if !chunks.is_empty() {
            let mut pack = growing.take()?;
            let end = pack.size;
            if let Err(error) = self.copy(&mut chunks, &mut pack) {
                growing.take_back(pack, end);
                // A damaged chunk is left where it is, for `fsck` to tell and for a push to bring anew.
                tracing::error!("{error}; pack {number} stays as it is");
                return Ok(());
            }
            pack.sync()?;
            self.index.moved(&moved(chunks, number))?;
            growing.put_back(pack);
        }
        growing.remove(number)
    }

    /// Writes anew what is needed of packs that are mostly not, and of small ones where they are many. They are removed by a
    /// later [`Self::settle`].
    fn sweep_sealed(&self, sealed: &Sealed) -> Result<(), ObjectError> {
        let (live, sizes) = (self.index.packs()?, self.index.written_packs()?);
        let needed = |number: &u32| live.get(number).map_or(0, |(_, needed)| *needed);
        let small: Vec<u32> = sizes
            .iter()
            .filter(|(number, size)| **size < CACHE_PACK_SMALL_BYTES && needed(number) > 0)
            .map(|(number, _)| *number)
            .collect();
        let is_many = small.len() > CACHE_PACKS_SMALL_MAX;
        let is_wasteful =
            |number: &u32, size: u64| needed(number) > 0 && needed(number).saturating_mul(LIVE_PART_MIN) < size;
        let mut waiting: Option<(Pack, Vec<(u32, Chunk)>)> = None;
        for (number, size) in &sizes {
            if !(is_wasteful(number, *size) || is_many && small.contains(number)) {
                continue;
            }
            let (mut pack, mut chunks) = match waiting.take() {
                Some(waiting) => waiting,
                None => (sealed.spool()?, Vec::new()),
            };
            let mut these = self.index.in_pack(*number)?;
            match self.copy(&mut these, &mut pack) {
                Ok(()) => chunks.extend(moved(these, *number)),
                Err(error) => tracing::error!("{error}; pack {number} stays as it is"),
            }
            if pack.size < CACHE_PACK_BYTES {
                waiting = Some((pack, chunks));
            } else {
                self.put_anew(sealed, pack, chunks)?;
            }
        }
        waiting.map_or(Ok(()), |(pack, chunks)| self.put_anew(sealed, pack, chunks))
    }

    fn put_anew(&self, sealed: &Sealed, mut pack: Pack, chunks: Vec<(u32, Chunk)>) -> Result<(), ObjectError> {
        let done = self.put_and_move(sealed, &mut pack, chunks);
        Sealed::drop_spool(&pack);
        done
    }

    fn put_and_move(&self, sealed: &Sealed, pack: &mut Pack, mut chunks: Vec<(u32, Chunk)>) -> Result<(), ObjectError> {
        if chunks.is_empty() {
            return Ok(());
        }
        let number = self.index.new_pack(pack.size)?;
        sealed.put(pack, number)?;
        for (_, chunk) in &mut chunks {
            chunk.pack = number;
        }
        Ok(self.index.moved(&chunks)?)
    }

    fn copy(&self, chunks: &mut [Chunk], pack: &mut Pack) -> Result<(), ObjectError> {
        for chunk in chunks {
            let frame = self.fetch(chunk)?;
            (chunk.position, chunk.pack) = (pack.append(&frame)?, pack.number);
        }
        Ok(())
    }
}

fn moved(chunks: Vec<Chunk>, from: u32) -> Vec<(u32, Chunk)> {
    chunks.into_iter().map(|chunk| (from, chunk)).collect()
}
