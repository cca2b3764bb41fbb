//! A NAR on its way into packs: cut as it comes, and appended where its content is new. Nobody sees it before it is kept.

use std::collections::BTreeMap;

use aux_core::limits::CACHE_CHUNK_BYTES_MIN;
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;

use super::super::ObjectError;
use super::cut::{Cut, Cutter, HOLE_BYTES};
use super::frame::{Frame, compress, fill};
use super::index::{Chunk, NewNar, NewPart};
use super::pack::Pack;
use super::{Chunks, recipe};

/// Taken at once by the cutter.
const PIECE_BYTES: usize = 1 << 20;

/// A NAR that is arriving. Dropped before it is kept, it is gone.
pub(crate) struct Shelving<'s> {
    chunks: &'s Chunks,
    cutter: Cutter,
    /// The last chunk that was sent as one, and its content.
    waiting: Option<(Vec<u8>, Vec<u8>)>,
    /// The sender's chunks are none, so that they are cut here.
    is_cut_here: bool,
    /// The pack that new chunks go to, and where it ended before.
    pack: Option<(Pack, u64)>,
    parts: Vec<NewPart>,
    /// All of its chunks, in order, for the checksum.
    all: Vec<Chunk>,
    new: Vec<Chunk>,
    /// Chunks that were damaged: the pack of each, and where it lies anew.
    mended: Vec<(u32, Chunk)>,
    /// New chunks by their digest: a NAR may have one twice.
    seen: BTreeMap<[u8; 32], usize>,
    /// Chunks that were there, which collection spares meanwhile.
    used: Vec<i64>,
    fillings: Vec<[u8; HOLE_BYTES]>,
    hasher: Sha256Hasher,
    size: u64,
}

/// What is sent of a NAR that was taken in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shelved {
    pub file_hash: Sha256,
    pub file_size: u64,
}

impl<'s> Shelving<'s> {
    pub(super) fn new(chunks: &'s Chunks) -> Self {
        Self {
            chunks,
            cutter: Cutter::new(&chunks.store_directory),
            waiting: None,
            is_cut_here: false,
            pack: None,
            parts: Vec::new(),
            all: Vec::new(),
            new: Vec::new(),
            mended: Vec::new(),
            seen: BTreeMap::new(),
            used: Vec::new(),
            fillings: Vec::new(),
            hasher: Sha256Hasher::default(),
            size: 0,
        }
    }

    /// Takes more of the NAR, unpacked.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ObjectError> {
        self.shelve_waiting()?;
        for bytes in bytes.chunks(PIECE_BYTES) {
            self.cutter.push(bytes);
            while let Some(cut) = self.cutter.next(false) {
                self.shelve(cut, None)?;
            }
        }
        Ok(())
    }

    /// Takes a chunk as its sender cut and packed it, and its content. What is cut smaller than it would be here is cut anew.
    pub(crate) fn push_chunk(&mut self, frame: Vec<u8>, content: Vec<u8>) -> Result<(), ObjectError> {
        match self.waiting.take() {
            Some((_, before)) if before.len() < CACHE_CHUNK_BYTES_MIN / 2 => {
                self.is_cut_here = true;
                self.push(&before)?;
            }
            Some((frame, before)) => self.shelve_sent(frame, before)?,
            None => {}
        }
        if self.is_cut_here {
            return self.push(&content);
        }
        self.waiting = Some((frame, content));
        Ok(())
    }

    /// Takes the NAR's end.
    pub(crate) fn finish(&mut self) -> Result<Shelved, ObjectError> {
        self.shelve_waiting()?;
        while let Some(cut) = self.cutter.next(true) {
            self.shelve(cut, None)?;
        }
        let hasher = std::mem::take(&mut self.hasher);
        Ok(Shelved { file_hash: hasher.finish(), file_size: self.size })
    }

    /// Makes it one of the store: packs first, then the index, each on the disk before the next.
    pub(crate) fn keep(mut self, nar_hash: Sha256) -> Result<(), ObjectError> {
        let fillings = recipe::write(&self.fillings).map_err(|cause| self.chunks.failed(cause))?;
        self.put_down()?;
        let nar = NewNar {
            hash: nar_hash,
            file_size: self.size,
            fillings: &fillings,
            checksum: recipe::checksum(self.all.iter(), &fillings),
            parts: &self.parts,
            new: &self.new,
        };
        self.chunks.index.insert(&nar)?;
        if let Some((pack, _)) = self.pack.take() {
            self.chunks.packs.put_back(pack);
        }
        Ok(())
    }

    /// Lets it go, because the store has it; but damaged chunks that came with it are whole from now on.
    pub(crate) fn mend(mut self) -> Result<(), ObjectError> {
        if self.mended.is_empty() {
            return Ok(());
        }
        self.put_down()?;
        if let Some((pack, _)) = self.pack.take() {
            self.chunks.packs.put_back(pack);
        }
        Ok(())
    }

    /// Has all frames on the disk, and says where those lie now that were damaged.
    fn put_down(&mut self) -> Result<(), ObjectError> {
        if let Some((pack, end)) = &mut self.pack {
            let number = self.chunks.packs.settle(pack, &self.chunks.index)?;
            // From here on the index may speak of them, also where it says that it failed.
            *end = pack.size;
            for chunk in self.new.iter_mut().chain(self.mended.iter_mut().map(|(_, chunk)| chunk)) {
                chunk.pack = number;
            }
        }
        if !self.mended.is_empty() {
            self.chunks.index.moved(&self.mended)?;
        }
        Ok(())
    }

    /// The last chunk as it was sent, of which it was not known whether another follows.
    fn shelve_waiting(&mut self) -> Result<(), ObjectError> {
        match self.waiting.take() {
            Some((frame, content)) => self.shelve_sent(frame, content),
            None => Ok(()),
        }
    }

    fn shelve_sent(&mut self, frame: Vec<u8>, content: Vec<u8>) -> Result<(), ObjectError> {
        self.shelve(Cut::of(content, &self.chunks.store_directory), Some(frame))
    }

    /// Shelves a chunk, in the frame that it was sent in, where that will do for other fillings too.
    fn shelve(&mut self, cut: Cut, sent: Option<Vec<u8>>) -> Result<(), ObjectError> {
        let mut cut = cut.settled();
        let digest = cut.digest();
        if let Some(place) = self.seen.get(&digest).copied() {
            let Some(chunk) = self.new.get(place).cloned() else { return Ok(()) };
            let frame = self.fetch_new(&chunk)?;
            self.add(NewPart::New(place), chunk, (frame, &cut));
            return Ok(());
        }
        let found = self.chunks.find(&digest)?;
        if let Some(chunk) = &found {
            self.used.push(chunk.number);
            match self.chunks.fetch(chunk) {
                Ok(frame) => {
                    self.add(NewPart::Known(chunk.number), chunk.clone(), (frame, &cut));
                    return Ok(());
                }
                Err(error) => tracing::error!("{error}; the chunk is written anew"),
            }
        }
        let had_holes = !cut.holes.is_empty();
        let frame = match sent.and_then(|sent| Frame::sent(sent, &cut)) {
            Some(frame) => frame,
            None => compress(&mut cut).map_err(|cause| self.chunks.failed(cause))?,
        };
        if had_holes && cut.holes.is_empty() {
            // They were closed, and so it is other content.
            return self.shelve(cut, None);
        }
        let chunk = self.append(&frame.bytes, &cut, (digest, frame.holes))?;
        let is_same = |found: &Chunk| (found.checksum, &found.holes) == (chunk.checksum, &chunk.holes);
        let part = if let Some(Chunk { number, pack, .. }) = found.filter(is_same) {
            self.mended.push((pack, Chunk { number, ..chunk.clone() }));
            NewPart::Known(number)
        } else {
            self.seen.insert(digest, self.new.len());
            self.new.push(chunk.clone());
            NewPart::New(self.new.len() - 1)
        };
        self.add(part, chunk, (frame.bytes, &cut));
        Ok(())
    }

    /// A chunk that this very NAR brought, which nobody else sees yet.
    fn fetch_new(&self, chunk: &Chunk) -> Result<Vec<u8>, ObjectError> {
        let Some((pack, _)) = &self.pack else { return self.chunks.fetch(chunk) };
        let mut frame = vec![0; chunk.length as usize];
        let read = pack.read_exact_at(&mut frame, chunk.position).and_then(|()| chunk.check(&frame));
        read.map_err(|cause| self.chunks.failed(cause))?;
        Ok(frame)
    }

    /// Writes a new frame with zeros in its holes.
    fn append(&mut self, frame: &[u8], cut: &Cut, (digest, holes): ([u8; 32], Vec<u32>)) -> Result<Chunk, ObjectError> {
        let mut stored = frame.to_vec();
        fill(&mut stored, &holes, &vec![[0; HOLE_BYTES]; holes.len()]);
        let (pack, _) = match &mut self.pack {
            Some(pack) => pack,
            none => {
                let pack = self.chunks.packs.take()?;
                let size = pack.size;
                none.insert((pack, size))
            }
        };
        let position = pack.append(&stored)?;
        let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Ok(Chunk {
            number: 0,
            digest,
            size: short(cut.content.len()),
            pack: pack.number,
            position,
            length: short(stored.len()),
            checksum: *blake3::hash(&stored).as_bytes(),
            holes,
        })
    }

    fn add(&mut self, part: NewPart, chunk: Chunk, (mut frame, cut): (Vec<u8>, &Cut)) {
        let first = self.fillings.len();
        self.fillings.extend(cut.holes.iter().map(|hole| hole.characters));
        fill(&mut frame, &chunk.holes, self.fillings.get(first..).unwrap_or_default());
        self.hasher.update(&frame);
        self.size += frame.len() as u64;
        self.parts.push(part);
        self.all.push(chunk);
    }
}

impl Drop for Shelving<'_> {
    fn drop(&mut self) {
        self.chunks.release(&self.used);
        if let Some((pack, end)) = self.pack.take() {
            self.chunks.packs.take_back(pack, end);
        }
    }
}
