//! A chunk that is not sent because the receiver has it: a skippable frame (RFC 8878, section 3.1.2) that names it and says what
//! stands in its holes.

use std::io;

use aux_core::limits::CACHE_CHUNK_BYTES_MAX;
use aux_nix::nix32;

use super::cut::{BYTES_PER_HOLE_MIN, Cut, HOLE_BYTES};

/// One of the sixteen numbers of skippable frames, little-endian.
const MAGIC: [u8; 4] = [0x5c, 0x2a, 0x4d, 0x18];
/// Whose frame it is, since anybody may use the number.
const TAG: [u8; 4] = *b"aux1";
const DIGEST_BYTES: usize = 32;
/// A store path's hash.
const FILLING_BYTES: usize = 20;
/// Magic number and length.
pub(crate) const HEAD_BYTES: usize = 8;
const FIXED_BYTES: usize = TAG.len() + DIGEST_BYTES;
const FILLINGS_MAX: usize = CACHE_CHUNK_BYTES_MAX / BYTES_PER_HOLE_MIN;

/// A chunk by its digest, and what is to stand in its holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub digest: [u8; DIGEST_BYTES],
    pub fillings: Vec<[u8; HOLE_BYTES]>,
}

impl Reference {
    /// To a chunk whose digest is known.
    pub(crate) fn to(cut: &Cut, digest: [u8; DIGEST_BYTES]) -> Self {
        Self { digest, fillings: cut.holes.iter().map(|hole| hole.characters).collect() }
    }

    /// The frame.
    pub(crate) fn write(&self) -> io::Result<Vec<u8>> {
        let no_hash = || io::Error::new(io::ErrorKind::InvalidData, "what stands in a hole is no hash");
        let mut content = [TAG.as_slice(), &self.digest].concat();
        for characters in &self.fillings {
            let text = std::str::from_utf8(characters).map_err(|_| no_hash())?;
            content.extend(nix32::decode::<FILLING_BYTES>(text).ok_or_else(no_hash)?);
        }
        let length = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok([MAGIC.as_slice(), &length.to_le_bytes(), &content].concat())
    }

    /// Whether something may begin with one of ours.
    pub(crate) fn is_skippable(start: &[u8]) -> bool {
        start.starts_with(&MAGIC)
    }

    /// How long the whole frame is by its first [`HEAD_BYTES`], if those are of one of ours.
    pub(crate) fn frame_bytes(head: &[u8]) -> Option<usize> {
        let (magic, length) = head.first_chunk::<HEAD_BYTES>()?.split_at(MAGIC.len());
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let fillings = length.checked_sub(FIXED_BYTES)?;
        let is_ours = magic == MAGIC && fillings % FILLING_BYTES == 0 && fillings / FILLING_BYTES <= FILLINGS_MAX;
        is_ours.then_some(HEAD_BYTES + length)
    }

    /// Reads a whole frame.
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        let content = frame.get(HEAD_BYTES..).filter(|_| Self::frame_bytes(frame) == Some(frame.len()))?;
        let (digest, fillings) = content.strip_prefix(&TAG)?.split_first_chunk::<DIGEST_BYTES>()?;
        let (fillings, _) = fillings.as_chunks::<FILLING_BYTES>();
        let characters = |hash: &[u8; FILLING_BYTES]| nix32::encode(hash).into_bytes().try_into().ok();
        Some(Self { digest: *digest, fillings: fillings.iter().map(characters).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        for fillings in [vec![], vec![[b'a'; HOLE_BYTES], [b'0'; HOLE_BYTES]]] {
            let reference = Reference { digest: [7; DIGEST_BYTES], fillings };
            let frame = reference.write().unwrap();
            assert_eq!(Reference::frame_bytes(&frame), Some(frame.len()));
            assert_eq!(Reference::read(&frame), Some(reference));
            for length in 0..frame.len() {
                assert_eq!(Reference::read(&frame[..length]), None);
            }
            // For everybody else it is nothing.
            let sent = [&frame[..], &zstd::bulk::compress(b"text", 3).unwrap()].concat();
            assert_eq!(zstd::stream::decode_all(&*sent).unwrap(), b"text");
            for position in [0, 4, HEAD_BYTES] {
                let mut other = frame.clone();
                other[position] ^= 1;
                assert_eq!(Reference::read(&other), None, "{position}");
            }
        }
        let none = Reference { digest: [7; DIGEST_BYTES], fillings: vec![[b'e'; HOLE_BYTES]] };
        assert!(none.write().is_err());
        let large = [&MAGIC[..], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(Reference::frame_bytes(&large), None);
    }
}
