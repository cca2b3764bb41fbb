//! A NAR to be read: of a file, of packs or of a bucket, in pieces of a megabyte or a few.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use aux_core::limits::{CACHE_BUCKET_PIECE_BYTES, CACHE_PIECE_BYTES};
use bytes::Bytes;

use super::bucket::Remote;
use super::chunks::Reading;
use super::piece::Piece;

/// A NAR as it is sent. What is removed or moved meanwhile can still be read to its end.
#[derive(Debug)]
pub(crate) enum Stored {
    Whole { file: File, size: u64 },
    Chunked(Arc<Reading>),
    Remote(Remote),
}

/// The same, from its beginning to its end.
pub(crate) struct Reader<'s> {
    stored: &'s Stored,
    position: u64,
    piece: Bytes,
    taken: usize,
}

impl Stored {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Whole { size, .. } => *size,
            Self::Chunked(reading) => reading.size(),
            Self::Remote(remote) => remote.size(),
        }
    }

    /// Bytes from a position on: at least one and at most `limit`. An error means that the NAR is not what it was, and no
    /// byte of this piece may leave.
    pub(crate) fn read(&self, position: u64, limit: u64) -> io::Result<Bytes> {
        match self {
            Self::Whole { file, size } => {
                let length = limit.min(CACHE_PIECE_BYTES as u64).min(size.saturating_sub(position));
                let mut piece = Piece::new(usize::try_from(length).unwrap_or(CACHE_PIECE_BYTES));
                file.read_exact_at(piece.as_mut(), position)?;
                Ok(Bytes::from_owner(piece))
            }
            Self::Chunked(reading) => reading.read(position, limit).map(Bytes::from_owner),
            Self::Remote(remote) => {
                remote.read(position, limit.min(CACHE_BUCKET_PIECE_BYTES).min(remote.size().saturating_sub(position)))
            }
        }
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { stored: self, position: 0, piece: Bytes::new(), taken: 0 }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            let remaining = self.stored.size() - self.position;
            if remaining == 0 {
                return Ok(0);
            }
            self.piece = self.stored.read(self.position, remaining)?;
            self.position += self.piece.len() as u64;
            self.taken = 0;
        }
        let rest = self.piece.get(self.taken..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken += length;
        Ok(length)
    }
}
