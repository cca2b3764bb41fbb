//! A NAR on its way into packs: cut as it comes, and appended where its content is new. Nobody sees it before it is kept.

use std::collections::BTreeMap;

use aux_core::limits::CACHE_CHUNK_BYTES_MIN;
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;

use super::super::ObjectError;
use super::cut::{Cut, Cutter, HOLE_BYTES};
use super::frame::{Packer, fill};
use super::index::{Chunk, NewNar, NewPart};
use super::pack::Pack;
use super::reference::Reference;
use super::{Chunks, recipe};

/// Taken at once by the cutter.
const PIECE_BYTES: usize = 1 << 20;

/// A chunk as its sender cut and packed it.
pub(crate) struct SentChunk {
    pub frame: Vec<u8>,
    pub content: Vec<u8>,
    /// The hash of all that was sent, up to the end of the frame; `None` where the frame itself was not sent.
    pub sent_until: Option<Sha256Hasher>,
}

/// A chunk that is here.
pub(crate) struct KnownChunk {
    chunk: Chunk,
    /// With the sender's hashes in its holes.
    pub frame: Vec<u8>,
    fillings: Vec<[u8; HOLE_BYTES]>,
}

impl KnownChunk {
    /// Of its content.
    pub(crate) fn size(&self) -> usize {
        self.chunk.size as usize
    }
}

/// A NAR that is arriving. Dropped before it is kept, it is gone.
pub(crate) struct Shelving<'s> {
    chunks: &'s Chunks,
    cutter: Cutter,
    /// The last chunk that was sent as one.
    waiting: Option<SentChunk>,
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
    /// Of the frames until now, as they will be sent.
    hasher: Sha256Hasher,
    /// Those are what came, byte for byte, so that they need not be hashed a second time.
    is_as_sent: bool,
    size: u64,
    packer: Option<Packer>,
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
            is_as_sent: true,
            size: 0,
            packer: None,
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

    /// Takes a chunk as its sender cut and packed it. What is cut smaller than it would be here is cut anew.
    pub(crate) fn push_chunk(&mut self, chunk: SentChunk) -> Result<(), ObjectError> {
        self.shelve_followed()?;
        if self.is_cut_here {
            return self.push(&chunk.content);
        }
        self.waiting = Some(chunk);
        Ok(())
    }

    /// A chunk that the sender refers to, if it is whole, and in a NAR that the sender may know of.
    pub(crate) fn find(
        &mut self,
        reference: Reference,
        may_refer: &dyn Fn(Sha256) -> bool,
    ) -> Result<Option<KnownChunk>, ObjectError> {
        let Some(chunk) = self.chunks.find_for(&reference.digest, may_refer)? else { return Ok(None) };
        self.used.push(chunk.number);
        if chunk.holes.len() != reference.fillings.len() {
            return Ok(None);
        }
        match self.chunks.fetch(&chunk) {
            Ok(mut frame) => {
                fill(&mut frame, &chunk.holes, &reference.fillings);
                Ok(Some(KnownChunk { chunk, frame, fillings: reference.fillings }))
            }
            Err(error) => {
                tracing::error!("{error}; the chunk has to be sent anew");
                Ok(None)
            }
        }
    }

    /// Takes a chunk that is here, and its content.
    pub(crate) fn push_known(&mut self, known: KnownChunk, content: &[u8]) -> Result<(), ObjectError> {
        self.shelve_followed()?;
        let KnownChunk { chunk, frame, fillings } = known;
        if self.is_cut_here {
            return self.push(content);
        }
        if is_small(content) {
            // Whether it may stay as it is depends on what follows.
            self.waiting = Some(SentChunk { frame, content: content.to_vec(), sent_until: None });
            return Ok(());
        }
        self.fillings.extend(fillings);
        self.add(NewPart::Known(chunk.number), chunk, &frame, None);
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

    /// The last chunk as it was sent, now that another follows.
    fn shelve_followed(&mut self) -> Result<(), ObjectError> {
        match self.waiting.take() {
            Some(chunk) if is_small(&chunk.content) => {
                self.is_cut_here = true;
                self.push(&chunk.content)
            }
            Some(chunk) => self.shelve_sent(chunk),
            None => Ok(()),
        }
    }

    /// The last chunk as it was sent, of which it was not known whether another follows.
    fn shelve_waiting(&mut self) -> Result<(), ObjectError> {
        self.waiting.take().map_or(Ok(()), |chunk| self.shelve_sent(chunk))
    }

    fn shelve_sent(&mut self, chunk: SentChunk) -> Result<(), ObjectError> {
        let SentChunk { frame, content, sent_until } = chunk;
        self.shelve(Cut::of(content, &self.chunks.store_directory), Some((frame, sent_until)))
    }

    /// Shelves a chunk, in the frame that it was sent in, where that will do for other fillings too.
    fn shelve(&mut self, cut: Cut, sent: Option<(Vec<u8>, Option<Sha256Hasher>)>) -> Result<(), ObjectError> {
        let mut cut = cut.settled();
        let digest = cut.digest();
        if let Some(place) = self.seen.get(&digest).copied() {
            let Some(chunk) = self.new.get(place).cloned() else { return Ok(()) };
            let frame = self.fetch_new(&chunk)?;
            self.add_filled((NewPart::New(place), chunk), frame, &cut, sent);
            return Ok(());
        }
        let found = self.chunks.find(&digest)?;
        if let Some(chunk) = &found {
            self.used.push(chunk.number);
            match self.chunks.fetch(chunk) {
                Ok(frame) => {
                    self.add_filled((NewPart::Known(chunk.number), chunk.clone()), frame, &cut, sent);
                    return Ok(());
                }
                Err(error) => tracing::error!("{error}; the chunk is written anew"),
            }
        }
        let had_holes = !cut.holes.is_empty();
        let failed = |cause| self.chunks.failed(cause);
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(Packer::new().map_err(failed)?),
        };
        let (bytes, sent_until) = sent.unzip();
        let (frame, sent_until) = match bytes.and_then(|bytes| packer.sent(bytes, &cut)) {
            Some(frame) => (frame, sent_until.flatten()),
            None => (packer.compress(&mut cut).map_err(failed)?, None),
        };
        if had_holes && cut.holes.is_empty() {
            // They were closed, and so it is other content.
            return self.shelve(cut, None);
        }
        let mut bytes = frame.bytes;
        let chunk = self.append(&bytes, &cut, (digest, frame.holes))?;
        let is_same = |found: &Chunk| (found.checksum, &found.holes) == (chunk.checksum, &chunk.holes);
        let part = if let Some(Chunk { number, pack, .. }) = found.filter(is_same) {
            self.mended.push((pack, Chunk { number, ..chunk.clone() }));
            NewPart::Known(number)
        } else {
            self.seen.insert(digest, self.new.len());
            self.new.push(chunk.clone());
            NewPart::New(self.new.len() - 1)
        };
        self.fill(&mut bytes, &chunk, &cut);
        self.add(part, chunk, &bytes, sent_until);
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

    /// Writes a new frame, which has zeros in its holes.
    fn append(&mut self, frame: &[u8], cut: &Cut, (digest, holes): ([u8; 32], Vec<u32>)) -> Result<Chunk, ObjectError> {
        let (pack, _) = match &mut self.pack {
            Some(pack) => pack,
            none => {
                let pack = self.chunks.packs.take()?;
                let size = pack.size;
                none.insert((pack, size))
            }
        };
        let position = pack.append(frame)?;
        let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Ok(Chunk {
            number: 0,
            digest,
            size: short(cut.content.len()),
            pack: pack.number,
            position,
            length: short(frame.len()),
            checksum: *blake3::hash(frame).as_bytes(),
            holes,
        })
    }

    /// Adds a chunk that was there before, and may have been packed just so by its sender.
    fn add_filled(
        &mut self,
        (part, chunk): (NewPart, Chunk),
        mut frame: Vec<u8>,
        cut: &Cut,
        sent: Option<(Vec<u8>, Option<Sha256Hasher>)>,
    ) {
        self.fill(&mut frame, &chunk, cut);
        let sent_until = sent.and_then(|(sent, sent_until)| sent_until.filter(|_| sent == frame));
        self.add(part, chunk, &frame, sent_until);
    }

    /// Puts what was cut out back into a frame, and notes it.
    fn fill(&mut self, frame: &mut [u8], chunk: &Chunk, cut: &Cut) {
        let first = self.fillings.len();
        self.fillings.extend(cut.holes.iter().map(|hole| hole.characters));
        fill(frame, &chunk.holes, self.fillings.get(first..).unwrap_or_default());
    }

    /// Adds a chunk, whose frame is as it will be sent. `sent_until` is there if it came so.
    fn add(&mut self, part: NewPart, chunk: Chunk, frame: &[u8], sent_until: Option<Sha256Hasher>) {
        if let Some(sent_until) = sent_until.filter(|_| self.is_as_sent) {
            self.hasher = sent_until;
        } else {
            self.is_as_sent = false;
            self.hasher.update(frame);
        }
        self.size += frame.len() as u64;
        self.parts.push(part);
        self.all.push(chunk);
    }
}

/// Whether it would not be cut so here, unless it is the last.
fn is_small(content: &[u8]) -> bool {
    content.len() < CACHE_CHUNK_BYTES_MIN / 2
}

impl Drop for Shelving<'_> {
    fn drop(&mut self) {
        self.chunks.release(&self.used);
        if let Some((pack, end)) = self.pack.take() {
            self.chunks.packs.take_back(pack, end);
        }
    }
}
