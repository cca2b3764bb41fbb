//! A NAR that is read out of packs: frames one behind the other, each checked before a byte of it leaves.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aux_core::limits::{
    CACHE_BUCKET_GAP_BYTES_MAX, CACHE_BUCKET_PIECE_BYTES, CACHE_BUCKET_REQUESTS_MAX, CACHE_PIECE_BYTES,
};

use super::super::piece::Piece;
use super::cut::HOLE_BYTES;
use super::frame::fill;
use super::index::{Chunk, NarRow};
use super::present::is_believed;
use super::sealed::PackReader;
use super::{DamageError, recipe};

/// A NAR with its packs open. What is collected or moved meanwhile does not reach it.
#[derive(Debug)]
pub(crate) struct Reading {
    parts: Vec<Part>,
    fillings: Vec<[u8; HOLE_BYTES]>,
    packs: BTreeMap<u32, PackReader>,
    size: u64,
    /// What is read at once, about.
    piece_bytes: u64,
    is_damaged: AtomicBool,
    /// Since when it is known that its packs are in the bucket, if they are in one.
    asked: Option<Instant>,
}

/// A chunk of the NAR.
#[derive(Debug)]
struct Part {
    /// In what is sent.
    start: u64,
    /// Of its fillings.
    first_hole: usize,
    chunk: Chunk,
    /// Its CRC-64 when it was what was written: against rot it is enough, and it is cheaper than BLAKE3.
    checked: OnceLock<u64>,
}

impl Reading {
    /// `packs` has every pack that a chunk of the NAR lies in, and all were there just now.
    pub(super) fn new(row: NarRow, packs: BTreeMap<u32, PackReader>, now: Instant) -> Result<Self, DamageError> {
        let holes = row.chunks.iter().map(|chunk| chunk.holes.len()).sum();
        let is_whole = recipe::checksum(row.chunks.iter(), &row.fillings) == row.checksum;
        let fillings = recipe::read(&row.fillings, holes).filter(|_| is_whole).ok_or(DamageError::Recipe)?;
        let (mut start, mut first_hole) = (0, 0);
        let mut parts = Vec::with_capacity(row.chunks.len());
        for chunk in row.chunks {
            let (length, holes) = (u64::from(chunk.length), chunk.holes.len());
            parts.push(Part { start, first_hole, chunk, checked: OnceLock::new() });
            start += length;
            first_hole += holes;
        }
        let is_damaged = AtomicBool::new(false);
        let is_remote = packs.values().any(PackReader::is_remote);
        let piece_bytes = if is_remote { CACHE_BUCKET_PIECE_BYTES } else { CACHE_PIECE_BYTES as u64 };
        let asked = is_remote.then_some(now);
        let reading = Self { parts, fillings, packs, size: start, piece_bytes, is_damaged, asked };
        if start == row.file_size { Ok(reading) } else { Err(DamageError::Recipe) }
    }

    /// Of all frames together.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it can be read once more. A chunk that was found not to be what was written may have been written anew elsewhere
    /// since, and a pack in a bucket may be gone.
    pub(super) fn is_good(&self, now: Instant) -> bool {
        !self.is_damaged.load(Ordering::Relaxed) && self.asked.is_none_or(|asked| is_believed(asked, now))
    }

    /// Of memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let holes: usize = self.parts.iter().map(|part| size_of_val(part.chunk.holes.as_slice())).sum();
        size_of::<Self>() + self.parts.len() * size_of::<Part>() + holes + self.fillings.len() * HOLE_BYTES
    }

    /// Bytes from a position on: at least one and at most `limit`, as many as whole chunks give without reading much more.
    pub(crate) fn read(&self, position: u64, limit: u64) -> io::Result<Piece> {
        let first = self.parts.partition_point(|part| part.start <= position).saturating_sub(1);
        let parts = self.parts.get(first..).unwrap_or_default();
        let Some(start) = parts.first().map(|part| part.start) else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let wanted = limit.min(self.piece_bytes).saturating_add(position - start);
        let fits = |part: &&Part| part.start == start || part.end() - start <= wanted;
        let count = parts.iter().take_while(fits).count();
        let parts = parts.get(..count).unwrap_or_default();
        let end = parts.last().map_or(start, Part::end);
        let mut piece = Piece::new(usize::try_from(end - start).unwrap_or(usize::MAX));
        if let Err(error) = self.fetch(parts, piece.as_mut()) {
            self.is_damaged.store(true, Ordering::Relaxed);
            return Err(error);
        }
        let skipped = usize::try_from(position - start).unwrap_or(usize::MAX);
        piece.narrow(skipped, usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(piece)
    }

    /// Reads the frames of some parts, checks them, and fills their holes.
    fn fetch(&self, parts: &[Part], memory: &mut [u8]) -> io::Result<()> {
        match self.asked {
            None => self.read_files(parts, memory)?,
            Some(_) => self.read_bucket(parts, memory)?,
        }
        let mut rest = memory;
        for part in parts {
            let taken = std::mem::take(&mut rest);
            let (frame, behind) = taken.split_at_mut_checked(part.length()).ok_or(io::ErrorKind::UnexpectedEof)?;
            part.check(frame)?;
            fill(frame, &part.chunk.holes, self.fillings.get(part.first_hole..).unwrap_or_default());
            rest = behind;
        }
        Ok(())
    }

    /// Those that follow each other in a file at once.
    fn read_files(&self, mut parts: &[Part], mut memory: &mut [u8]) -> io::Result<()> {
        while let Some(first) = parts.first() {
            let follows = |pair: &[Part]| match pair {
                [one, next] => next.chunk.pack == one.chunk.pack && next.chunk.position == one.chunk.end(),
                _ => false,
            };
            let count = 1 + parts.windows(2).take_while(|pair| follows(pair)).count();
            let (together, rest) = parts.split_at(count);
            let length = together.iter().map(Part::length).sum();
            let (frames, behind) = memory.split_at_mut_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
            let pack = self.packs.get(&first.chunk.pack).ok_or(io::ErrorKind::NotFound)?;
            pack.read_exact_at(frames, first.chunk.position)?;
            (parts, memory) = (rest, behind);
        }
        Ok(())
    }

    /// In few requests, some of them at the same time.
    fn read_bucket(&self, parts: &[Part], memory: &mut [u8]) -> io::Result<()> {
        let Some(start) = parts.first().map(|part| part.start) else { return Ok(()) };
        let runs = runs(parts.iter().map(|part| (&part.chunk, part.start - start)));
        for runs in runs.chunks(CACHE_BUCKET_REQUESTS_MAX) {
            let asked: Vec<(u32, u64, u64)> =
                runs.iter().map(|run| (run.pack, run.start, run.end - run.start)).collect();
            for (run, bytes) in runs.iter().zip(PackReader::read_all(&self.packs, &asked)?) {
                for (position, length, to) in &run.frames {
                    let from = usize::try_from(position - run.start).ok();
                    let frame = from.and_then(|from| bytes.get(from..from + length));
                    let to = usize::try_from(*to).ok().and_then(|to| memory.get_mut(to..to + length));
                    let (Some(frame), Some(to)) = (frame, to) else { return Err(io::ErrorKind::UnexpectedEof.into()) };
                    to.copy_from_slice(frame);
                }
            }
        }
        Ok(())
    }
}

/// What one request reads of a pack.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    pack: u32,
    start: u64,
    end: u64,
    /// Bytes of it that somebody wants.
    wanted: u64,
    /// Where each frame lies in the pack, how long it is, and where it goes in memory.
    frames: Vec<(u64, usize, u64)>,
}

/// Few requests for many chunks, each with the place where it goes: what lies close together is read at once with what lies
/// between, as long as no more is read in vain than is wanted, but for [`CACHE_BUCKET_GAP_BYTES_MAX`].
fn runs<'c>(chunks: impl Iterator<Item = (&'c Chunk, u64)>) -> Vec<Run> {
    let mut sorted: Vec<(&Chunk, u64)> = chunks.collect();
    sorted.sort_by_key(|(chunk, _)| (chunk.pack, chunk.position));
    let mut runs: Vec<Run> = Vec::new();
    for (chunk, to) in sorted {
        let frame = (chunk.position, chunk.length as usize, to);
        if let Some(run) = runs.last_mut().filter(|run| run.takes(chunk)) {
            run.wanted += chunk.end().saturating_sub(chunk.position.max(run.end));
            run.end = run.end.max(chunk.end());
            run.frames.push(frame);
        } else {
            let (pack, start, end) = (chunk.pack, chunk.position, chunk.end());
            runs.push(Run { pack, start, end, wanted: end - start, frames: vec![frame] });
        }
    }
    runs
}

impl Run {
    fn takes(&self, chunk: &Chunk) -> bool {
        let gap = chunk.position.saturating_sub(self.end);
        let in_vain = (self.end - self.start).saturating_sub(self.wanted).saturating_add(gap);
        let is_worth_it = in_vain <= self.wanted.max(CACHE_BUCKET_GAP_BYTES_MAX);
        self.pack == chunk.pack && gap <= CACHE_BUCKET_GAP_BYTES_MAX && is_worth_it
    }
}

impl Part {
    /// Holds what was read against what was written: the first time in full, from then on against what was read then.
    fn check(&self, frame: &[u8]) -> io::Result<()> {
        let sum = crc_fast::crc64_nvme(frame);
        if self.checked.get() != Some(&sum) {
            self.chunk.check(frame)?;
            self.checked.get_or_init(|| sum);
        }
        Ok(())
    }

    fn length(&self) -> usize {
        self.chunk.length as usize
    }

    fn end(&self) -> u64 {
        self.start + u64::from(self.chunk.length)
    }
}

impl Chunk {
    /// Where it ends in its pack.
    pub(crate) fn end(&self) -> u64 {
        self.position + u64::from(self.length)
    }

    /// Holds what was read of a pack against what was written.
    pub(crate) fn check(&self, frame: &[u8]) -> io::Result<()> {
        if *blake3::hash(frame).as_bytes() == self.checksum {
            return Ok(());
        }
        let detail = format!(
            "pack {} is damaged: the chunk of {} bytes at {} is not what was written",
            self.pack, self.length, self.position
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, detail))
    }

    /// Reads it out of its pack, with zeros in its holes.
    pub(super) fn fetch(&self, pack: &PackReader) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; self.length as usize];
        pack.read_exact_at(&mut frame, self.position)?;
        self.check(&frame)?;
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(pack: u32, position: u64, length: u32) -> Chunk {
        let (digest, checksum) = ([0; 32], [0; 32]);
        Chunk { number: 0, digest, size: length, pack, position, length, checksum, holes: Vec::new() }
    }

    fn ranges(chunks: &[Chunk]) -> Vec<(u32, u64, u64)> {
        let runs = runs(chunks.iter().map(|chunk| (chunk, 0)));
        assert_eq!(runs.iter().map(|run| run.frames.len()).sum::<usize>(), chunks.len());
        runs.iter().map(|run| (run.pack, run.start, run.end)).collect()
    }

    #[test]
    fn what_lies_close_together_is_one_request_in_whatever_order_it_is_wanted() {
        let mebibyte = 1_u32 << 20;
        let at = |mebibytes: u64| mebibytes << 20;
        let close = CACHE_BUCKET_GAP_BYTES_MAX;
        let chunks = [chunk(7, at(1) + close, mebibyte), chunk(3, 0, 100), chunk(7, 0, mebibyte), chunk(3, 100, 1)];
        assert_eq!(ranges(&chunks), [(3, 0, 101), (7, 0, at(2) + close)]);
        assert_eq!(ranges(&[chunk(7, 0, mebibyte), chunk(7, at(1) + close + 1, 1)]).len(), 2);
        // The same chunk twice, and one within another.
        assert_eq!(ranges(&[chunk(1, 5, 10), chunk(1, 5, 10), chunk(1, 6, 3)]), [(1, 5, 15)]);
    }

    #[test]
    fn no_more_is_read_in_vain_than_is_wanted() {
        // A byte here and there, as of chunks of zeros.
        let far = CACHE_BUCKET_GAP_BYTES_MAX / 2 - 1;
        let chunks: Vec<Chunk> = (0..100).map(|number| chunk(1, number * far, 1)).collect();
        let read: u64 = ranges(&chunks).iter().map(|(_, start, end)| end - start).sum();
        assert!(ranges(&chunks).iter().all(|(_, start, end)| end - start <= CACHE_BUCKET_GAP_BYTES_MAX + 3));
        assert!(read < 100 * far);
    }
}
