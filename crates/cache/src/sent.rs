//! What a client sends, on its way to whoever unpacks it: kept as it comes, counted, and hashed as far as it was read.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};

use aux_core::limits::CACHE_NAR_BYTES_MAX;
use aux_nix::hash::Sha256Hasher;

/// What was read until now.
#[derive(Default)]
pub(crate) struct Hashing {
    pub(crate) hasher: Sha256Hasher,
    pub(crate) size: u64,
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes what is read of it, and nothing that only lies in its buffer.
pub(crate) struct Hashed<'h, R> {
    pub(crate) inner: R,
    pub(crate) hasher: &'h RefCell<Hashing>,
}

impl<R: BufRead> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.borrow_mut().update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Hashed<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        // What is consumed lies in the buffer, so that this reads nothing.
        if let Some(buffer) = (length > 0).then(|| self.inner.fill_buf().ok()).flatten() {
            self.hasher.borrow_mut().update(buffer.get(..length).unwrap_or_default());
        }
        self.inner.consume(length);
    }
}

/// What comes from the client, counted and kept as it comes. It remembers why it failed, which decoders would tell in their
/// words.
pub(crate) struct Sent<'s> {
    pub(crate) inner: &'s mut dyn Read,
    pub(crate) kept: &'s mut dyn Write,
    pub(crate) size: u64,
    pub(crate) failure: Option<Failure>,
}

pub(crate) enum Failure {
    Client(io::Error),
    Disk(io::Error),
    /// Packed, it is larger than it may be unpacked: a packing can be endless and hold nothing.
    TooLarge,
}

impl Read for Sent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.inner.read(buffer) {
            Ok(length) => length,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Err(cause),
            Err(cause) => {
                let shown = io::Error::from(cause.kind());
                self.failure = Some(Failure::Client(cause));
                return Err(shown);
            }
        };
        let piece = buffer.get(..length).unwrap_or_default();
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > CACHE_NAR_BYTES_MAX {
            self.failure = Some(Failure::TooLarge);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Err(cause) = self.kept.write_all(piece) {
            let shown = io::Error::from(cause.kind());
            self.failure = Some(Failure::Disk(cause));
            return Err(shown);
        }
        Ok(length)
    }
}
