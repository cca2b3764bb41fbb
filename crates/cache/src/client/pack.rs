//! A store object on its way out: dumped, hashed, cut and packed in one pass, in memory while it is small and else on disk.
//!
//! Each chunk is a frame of its own, just as a server keeps it, so that it need not be packed anew there. For everybody else it is
//! a zstd stream like any other.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;
use tempfile::SpooledTempFile;

use super::{DumpError, dump};
use crate::objects::cut::Cutter;
use crate::objects::frame;

/// Packed objects up to here stay in memory.
const MEMORY_BYTES_MAX: usize = 8 << 20;

/// A packed NAR, read from its beginning.
pub(super) struct Packed {
    pub(super) nar_hash: Sha256,
    pub(super) nar_size: u64,
    pub(super) file_hash: Sha256,
    pub(super) file_size: u64,
    pub(super) file: SpooledTempFile,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error("it cannot be packed in {folder}: {cause}")]
    Scratch { folder: String, cause: io::Error },
}

/// Packs the object at `path`; what is too large for memory lies in `folder`, where nobody finds it.
pub(super) fn pack(path: &Path, store_directory: &str, folder: &Path) -> Result<Packed, PackError> {
    let scratch = |cause| PackError::Scratch { folder: folder.display().to_string(), cause };
    let file = Counted::new(tempfile::spooled_tempfile_in(MEMORY_BYTES_MAX, folder));
    let framed = Framed { cutter: Cutter::new(store_directory), inner: file };
    let nar = dump(path, io::BufWriter::with_capacity(1 << 20, Counted::new(framed)))?;
    let mut nar = nar.into_inner().map_err(|error| scratch(error.into_error()))?;
    nar.inner.write_complete(true).map_err(scratch)?;
    let (nar_hash, nar_size) = (nar.hasher.finish(), nar.size);
    let packed = nar.inner.inner;
    let (file_hash, file_size, mut file) = (packed.hasher.finish(), packed.size, packed.inner);
    file.seek(SeekFrom::Start(0)).map_err(scratch)?;
    Ok(Packed { nar_hash, nar_size, file_hash, file_size, file })
}

/// Writes a NAR's chunks as frames.
struct Framed<W> {
    cutter: Cutter,
    inner: W,
}

impl<W: Write> Framed<W> {
    /// Writes the chunks whose end is known.
    fn write_complete(&mut self, is_over: bool) -> io::Result<()> {
        while let Some(cut) = self.cutter.next(is_over) {
            self.inner.write_all(&frame::packed(&cut.settled())?)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Framed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cutter.push(bytes);
        self.write_complete(false)?;
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
