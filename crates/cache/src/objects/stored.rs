//! A NAR to be read: of a file or of packs, in pieces of about a megabyte.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use aux_core::limits::CACHE_PIECE_BYTES;

use super::chunks::Reading;
use super::piece::Piece;

/// A NAR as it is sent. What is removed or moved meanwhile can still be read to its end.
#[derive(Debug)]
pub(crate) enum Stored {
    Whole { file: File, size: u64 },
    Chunked(Reading),
}

/// The same, from its beginning to its end.
pub(crate) struct Reader<'s> {
    stored: &'s Stored,
    position: u64,
    piece: Piece,
    taken: usize,
}

impl Stored {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Whole { size, .. } => *size,
            Self::Chunked(reading) => reading.size(),
        }
    }

    /// Bytes from a position on: at least one and at most `limit`. An error means that the NAR is not what it was, and no
    /// byte of this piece may leave.
    pub(crate) fn read(&self, position: u64, limit: u64) -> io::Result<Piece> {
        match self {
            Self::Whole { file, size } => {
                let length = limit.min(CACHE_PIECE_BYTES as u64).min(size.saturating_sub(position));
                let mut piece = Piece::new(usize::try_from(length).unwrap_or(CACHE_PIECE_BYTES));
                file.read_exact_at(piece.as_mut(), position)?;
                Ok(piece)
            }
            Self::Chunked(reading) => reading.read(position, limit),
        }
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { stored: self, position: 0, piece: Piece::new(0), taken: 0 }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.as_ref().len() {
            let remaining = self.stored.size() - self.position;
            if remaining == 0 {
                return Ok(0);
            }
            self.piece = self.stored.read(self.position, remaining)?;
            self.position += self.piece.as_ref().len() as u64;
            self.taken = 0;
        }
        let rest = self.piece.as_ref().get(self.taken..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken += length;
        Ok(length)
    }
}
