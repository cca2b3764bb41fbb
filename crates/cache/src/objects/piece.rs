//! Memory that pieces of NARs are read into, used again by the next piece: new memory costs more to be given, as zeros, than
//! the copying of what is read into it.

use std::sync::{Mutex, PoisonError};

use aux_core::limits::{CACHE_PIECE_BYTES, CACHE_PIECES_KEPT_MAX};

/// Pieces that nobody reads or sends now.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A part of a NAR on its way out. Dropped, its memory is the next one's.
#[derive(Debug)]
pub(crate) struct Piece {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Piece {
    /// Of so many bytes, which hold anything until they are written. Memory of more than [`CACHE_PIECE_BYTES`], as a chunk
    /// that does not compress may need, is not kept.
    pub(crate) fn new(length: usize) -> Self {
        if length == 0 || length > CACHE_PIECE_BYTES {
            return Self { memory: vec![0; length], start: 0, length };
        }
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { memory: free.unwrap_or_else(|| vec![0; CACHE_PIECE_BYTES]), start: 0, length }
    }

    /// Leaves out its first bytes, and what is more than `limit` behind them.
    pub(crate) fn narrow(&mut self, skipped: usize, limit: usize) {
        let skipped = skipped.min(self.length);
        self.start += skipped;
        self.length = (self.length - skipped).min(limit);
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.length).unwrap_or_default()
    }
}

impl AsMut<[u8]> for Piece {
    fn as_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + self.length).unwrap_or_default()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.memory.len() != CACHE_PIECE_BYTES {
            return;
        }
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < CACHE_PIECES_KEPT_MAX {
            free.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_long_as_asked_and_its_memory_is_used_again() {
        let mut first = Piece::new(3);
        first.as_mut().copy_from_slice(b"abc");
        assert_eq!(first.as_ref(), b"abc");
        drop(first);
        for length in [0, 5, CACHE_PIECE_BYTES] {
            assert_eq!(Piece::new(length).as_ref().len(), length);
        }
        let many: Vec<Piece> = (0..2 * CACHE_PIECES_KEPT_MAX).map(|_| Piece::new(1)).collect();
        drop(many);
        assert!(FREE.lock().unwrap().len() <= CACHE_PIECES_KEPT_MAX);
    }
}
