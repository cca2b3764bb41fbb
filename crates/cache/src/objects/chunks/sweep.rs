//! Room that chunks took which nobody needs any more: packs that are mostly such are written anew without them.

use super::super::ObjectError;
use super::Chunks;
use super::index::Chunk;
use super::pack::Pack;

/// A pack is written anew when less than one in so many of its bytes is needed.
const LIVE_PART_MIN: u64 = 2;

impl Chunks {
    /// Forgets chunks that no NAR has, and gives back the room of packs. Who reads a pack that is removed reads on.
    pub(crate) fn sweep(&self) -> Result<(), ObjectError> {
        if self.is_shared {
            return Ok(());
        }
        let _one = self.sweeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.forget_unused()?;
        let live = self.index.packs()?;
        let (sizes, _) = self.packs.list()?;
        let is_wasteful = |number: u32| {
            let size = sizes.get(&number).copied().unwrap_or_default();
            let (_, needed) = live.get(&number).copied().unwrap_or_default();
            needed.saturating_mul(LIVE_PART_MIN) < size || needed == 0
        };
        // A pack that somebody appends to now is left for the next time.
        let closed = self.packs.close(&|number| sizes.contains_key(&number) && is_wasteful(number))?;
        for number in closed {
            self.empty(number)?;
        }
        self.opened.forget();
        Ok(())
    }

    /// Moves what is needed of a pack to another, and removes it.
    fn empty(&self, number: u32) -> Result<(), ObjectError> {
        let mut chunks = self.index.in_pack(number)?;
        if !chunks.is_empty() {
            let mut pack = self.packs.take()?;
            let end = pack.size;
            if let Err(error) = self.copy(&mut chunks, &mut pack) {
                self.packs.take_back(pack, end);
                // A damaged chunk is left where it is, for `fsck` to tell and for a push to bring anew.
                tracing::error!("{error}; pack {number} stays as it is");
                return Ok(());
            }
            pack.sync()?;
            self.index.moved(&chunks)?;
            self.packs.put_back(pack);
        }
        self.packs.remove(number)
    }

    fn copy(&self, chunks: &mut [Chunk], pack: &mut Pack) -> Result<(), ObjectError> {
        for chunk in chunks {
            let frame = self.fetch(chunk)?;
            (chunk.position, chunk.pack) = (pack.append(&frame)?, pack.number);
        }
        Ok(())
    }
}
