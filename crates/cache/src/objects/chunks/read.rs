//! A NAR that is read out of packs: frames one behind the other, each checked before a byte of it leaves.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aux_core::limits::{CACHE_BUCKET_PIECE_BYTES, CACHE_PIECE_BYTES};

use super::super::piece::Piece;
use super::cut::HOLE_BYTES;
use super::frame::fill;
use super::index::{Chunk, NarRow};
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
    /// `packs` has every pack that a chunk of the NAR lies in.
    pub(super) fn new(row: NarRow, packs: BTreeMap<u32, PackReader>) -> Result<Self, DamageError> {
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
        let reading = Self { parts, fillings, packs, size: start, piece_bytes, is_damaged };
        if start == row.file_size { Ok(reading) } else { Err(DamageError::Recipe) }
    }

    /// Of all frames together.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a chunk was found not to be what was written. It may have been written anew elsewhere since.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
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

    /// Reads the frames of some parts, those that lie together at once, checks them, and fills their holes.
    fn fetch(&self, mut parts: &[Part], mut memory: &mut [u8]) -> io::Result<()> {
        while let Some(first) = parts.first() {
            let follows = |pair: &[Part]| match pair {
                [one, next] => next.chunk.pack == one.chunk.pack && next.chunk.position == one.chunk.end(),
                _ => false,
            };
            let count = 1 + parts.windows(2).take_while(|pair| follows(pair)).count();
            let (together, rest) = parts.split_at(count);
            let length: usize = together.iter().map(|part| part.chunk.length as usize).sum();
            let (mut frames, behind) = memory.split_at_mut_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
            let pack = self.packs.get(&first.chunk.pack).ok_or(io::ErrorKind::NotFound)?;
            pack.read_exact_at(frames, first.chunk.position)?;
            for part in together {
                let (frame, others) = frames.split_at_mut(part.chunk.length as usize);
                part.check(frame)?;
                fill(frame, &part.chunk.holes, self.fillings.get(part.first_hole..).unwrap_or_default());
                frames = others;
            }
            (parts, memory) = (rest, behind);
        }
        Ok(())
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
