//! A store object on its way out: dumped, hashed, cut and packed in one pass, in memory while it is small and else on disk.
//!
//! Each chunk is a frame of its own, just as a server keeps it, so that it need not be packed anew there. For everybody else it is
//! a zstd stream like any other.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;

use super::spool::Spool;
use super::{DumpError, dump};
use crate::objects::cut::{Cut, Cutter};
use crate::objects::frame::Packer;
use crate::objects::reference::Reference;

/// What is gathered before it is asked which chunks of it need not be sent.
const BATCH_BYTES: usize = 8 << 20;
/// It is not asked about less: the answer would take longer than the chunks.
const BATCH_BYTES_MIN: usize = 64 << 10;

/// A packed NAR, read from its beginning.
pub(super) struct Packed {
    pub(super) nar_hash: Sha256,
    pub(super) nar_size: u64,
    pub(super) file_size: u64,
    pub(super) spool: Spool,
    /// Some of its chunks are not in it, because the server has them.
    pub(super) refers: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error("it cannot be packed in {folder}: {cause}")]
    Scratch { folder: String, cause: io::Error },
}

/// Tells which chunks of these digests the server has, in their order.
pub(super) type Ask<'a> = dyn Fn(&[[u8; 32]]) -> Vec<bool> + 'a;

/// What one worker packs with. Its memory is used again for the next object.
pub(super) struct Tools {
    cutter: Cutter,
    packer: Packer,
    memory: Vec<u8>,
    /// Where what is too large for memory lies, and nobody finds it.
    folder: PathBuf,
}

impl Tools {
    pub(super) fn new(store_directory: &str, folder: &Path) -> Result<Self, PackError> {
        let packer = Packer::new().map_err(|cause| scratch(folder, cause))?;
        Ok(Self { cutter: Cutter::new(store_directory), packer, memory: Vec::new(), folder: folder.to_path_buf() })
    }

    /// Packs the object at `path`.
    pub(super) fn pack(&mut self, path: &Path, ask: Option<&Ask<'_>>) -> Result<Packed, PackError> {
        let folder = self.folder.clone();
        self.cutter.begin();
        let packed = Spool::new(std::mem::take(&mut self.memory), &folder);
        let framed = Framed { tools: self, ask, batch: Vec::new(), batch_bytes: 0, refers: false, inner: packed };
        // Files come in larger pieces, and are not copied once more.
        let nar = dump(path, io::BufWriter::with_capacity(64 << 10, Counted::new(framed)))?;
        let mut nar = nar.into_inner().map_err(|error| scratch(&folder, error.into_error()))?;
        nar.inner.take_complete(true).and_then(|()| nar.inner.settle()).map_err(|cause| scratch(&folder, cause))?;
        let (nar_hash, nar_size) = (nar.hasher.finish(), nar.size);
        let (spool, refers) = (nar.inner.inner, nar.inner.refers);
        let file_size = spool.size();
        Ok(Packed { nar_hash, nar_size, file_size, spool, refers })
    }

    /// Takes back the memory of what was sent.
    pub(super) fn take_back(&mut self, packed: Packed) {
        self.memory = packed.spool.into_memory();
    }
}

fn scratch(folder: &Path, cause: io::Error) -> PackError {
    PackError::Scratch { folder: folder.display().to_string(), cause }
}

/// Writes a NAR's chunks as frames.
struct Framed<'p, W> {
    tools: &'p mut Tools,
    ask: Option<&'p Ask<'p>>,
    /// Chunks that the server may have, until it is asked.
    batch: Vec<Cut>,
    batch_bytes: usize,
    refers: bool,
    inner: W,
}

impl<W: Write> Framed<'_, W> {
    /// Takes the chunks whose end is known.
    fn take_complete(&mut self, is_over: bool) -> io::Result<()> {
        while let Some(cut) = self.tools.cutter.next(is_over) {
            let cut = cut.settled();
            if self.ask.is_none() {
                self.write_packed(cut)?;
                continue;
            }
            self.batch_bytes += cut.content.len();
            self.batch.push(cut);
            if self.batch_bytes >= BATCH_BYTES {
                self.settle()?;
            }
        }
        Ok(())
    }

    /// Writes what was gathered.
    fn settle(&mut self) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let asked = self.ask.filter(|_| self.batch_bytes >= BATCH_BYTES_MIN).map(|ask| {
            let digests: Vec<[u8; 32]> = batch.iter().map(Cut::digest).collect();
            (ask(&digests), digests)
        });
        self.batch_bytes = 0;
        let (known, digests) = asked.unwrap_or_default();
        let mut known = known.into_iter().zip(digests);
        for cut in batch {
            match known.next() {
                Some((true, digest)) => {
                    self.refers = true;
                    self.inner.write_all(&Reference::to(&cut, digest).write()?)?;
                    self.tools.cutter.take_back(cut);
                }
                _ => self.write_packed(cut)?,
            }
        }
        Ok(())
    }

    fn write_packed(&mut self, mut cut: Cut) -> io::Result<()> {
        self.inner.write_all(self.tools.packer.packed(&mut cut)?)?;
        self.tools.cutter.take_back(cut);
        Ok(())
    }
}

impl<W: Write> Write for Framed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tools.cutter.push(bytes);
        self.take_complete(false)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hashes and counts what passes through.
struct Counted<W> {
    inner: W,
    hasher: Sha256Hasher,
    size: u64,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256Hasher::default(), size: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..length).unwrap_or_default());
        self.size += u64::try_from(length).unwrap_or(u64::MAX);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
