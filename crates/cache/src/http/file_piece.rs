//! Memory that pieces of files are read into, used again by the next piece: new memory costs more to be given, as zeros, than
//! the copying of what is read into it.

use std::sync::{Mutex, PoisonError};

use aux_core::limits::{CACHE_PIECE_BYTES, CACHE_PIECES_KEPT_MAX};

/// Pieces that nobody reads or sends now.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A part of a file on its way out. Dropped, its memory is the next one's.
#[derive(Debug)]
pub(super) struct FilePiece {
    memory: Vec<u8>,
    length: usize,
}

impl FilePiece {
    /// Of so many bytes, [`CACHE_PIECE_BYTES`] at most, which hold anything until they are written.
    pub(super) fn new(length: usize) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { memory: free.unwrap_or_else(|| vec![0; CACHE_PIECE_BYTES]), length }
    }
}

impl AsRef<[u8]> for FilePiece {
    fn as_ref(&self) -> &[u8] {
        self.memory.get(..self.length).unwrap_or(&self.memory)
    }
}

impl AsMut<[u8]> for FilePiece {
    fn as_mut(&mut self) -> &mut [u8] {
        let length = self.length.min(self.memory.len());
        self.memory.get_mut(..length).unwrap_or_default()
    }
}

impl Drop for FilePiece {
    fn drop(&mut self) {
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
        let mut first = FilePiece::new(3);
        first.as_mut().copy_from_slice(b"abc");
        assert_eq!(first.as_ref(), b"abc");
        drop(first);
        for length in [0, 5, CACHE_PIECE_BYTES] {
            assert_eq!(FilePiece::new(length).as_ref().len(), length);
        }
        let many: Vec<FilePiece> = (0..2 * CACHE_PIECES_KEPT_MAX).map(|_| FilePiece::new(1)).collect();
        drop(many);
        assert!(FREE.lock().unwrap().len() <= CACHE_PIECES_KEPT_MAX);
    }
}
