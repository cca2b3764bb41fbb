//! A chunk as it is kept: one zstd frame, in which every store hash that was taken out has a place of its own.
//!
//! A hole is a raw block of 32 bytes (RFC 8878, section 3.1.1.2), and nothing else of the frame depends on what stands in it.
//! So the frame of any build is that of the first one with other bytes in its holes: nothing is compressed anew to be sent.

use std::io::{self, Write as _};

use super::cut::{Cut, HOLE_BYTES};

/// At 3 one core compresses as fast as it hashes.
const LEVEL: i32 = 3;
pub(crate) const BLOCK_HEAD_BYTES: usize = 3;
/// Types of blocks (section 3.1.1.2.2).
const RAW: usize = 0;
const RLE: usize = 1;

/// A chunk as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// With anything in its holes.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the holes are, in order.
    pub holes: Vec<u32>,
}

/// Compresses a chunk. Where its holes cannot be kept apart from the rest, they are closed, in the chunk too.
pub(crate) fn compress(cut: &mut Cut) -> io::Result<Frame> {
    if !cut.holes.is_empty() {
        let bytes = compressed(cut)?;
        let noises = (0..cut.holes.len()).map(noise).collect::<Vec<_>>();
        if let Some(frame) = Frame::with_holes(bytes, cut, &noises) {
            return Ok(frame);
        }
        cut.close();
    }
    Ok(Frame { bytes: compressed(cut)?, holes: Vec::new() })
}

impl Frame {
    /// A frame in whose holes some characters stand, if it is one of the chunk, and whatever is put into its holes comes out
    /// there and nowhere else.
    pub(crate) fn with_holes(bytes: Vec<u8>, cut: &Cut, characters: &[[u8; HOLE_BYTES]]) -> Option<Self> {
        let holes = places(&bytes, characters)?;
        let mut frame = Self { bytes, holes };
        // What the frame unpacks to as it is was seen by whoever made or took it. With every bit of its holes turned round,
        // all that was copied out of one is something else.
        let turned: Vec<[u8; HOLE_BYTES]> = characters.iter().map(|one| one.map(|byte| !byte)).collect();
        frame.fill(&turned);
        let mut expected = cut.content.clone();
        for (hole, turned) in cut.holes.iter().zip(&turned) {
            expected.get_mut(hole.position..hole.position + HOLE_BYTES)?.copy_from_slice(turned);
        }
        let unpacked = zstd::bulk::decompress(&frame.bytes, expected.len()).ok()?;
        frame.fill(&vec![[0; HOLE_BYTES]; characters.len()]);
        (unpacked == expected).then_some(frame)
    }

    /// The frame of a chunk as somebody sent it, who saw that it unpacks to its content.
    pub(crate) fn sent(bytes: Vec<u8>, cut: &Cut) -> Option<Self> {
        if cut.holes.is_empty() {
            return Some(Self { bytes, holes: Vec::new() });
        }
        let characters: Vec<_> = cut.holes.iter().map(|hole| hole.characters).collect();
        Self::with_holes(bytes, cut, &characters)
    }

    /// Puts characters into the holes.
    pub(crate) fn fill(&mut self, characters: &[[u8; HOLE_BYTES]]) {
        fill(&mut self.bytes, &self.holes, characters);
    }
}

/// Puts characters into the holes of a frame.
pub(crate) fn fill(frame: &mut [u8], holes: &[u32], characters: &[[u8; HOLE_BYTES]]) {
    for (hole, characters) in holes.iter().zip(characters) {
        let position = *hole as usize;
        if let Some(place) = frame.get_mut(position..position + HOLE_BYTES) {
            place.copy_from_slice(characters);
        }
    }
}

/// Bytes that no compressor finds anything in, another 32 for each hole of a chunk.
fn noise(number: usize) -> [u8; HOLE_BYTES] {
    blake3::hash(&(number as u64).to_le_bytes()).into()
}

/// A chunk as it is sent by whoever has its NAR: its frame with its own hashes in the holes. The receiver proves that they can
/// be others.
pub(crate) fn packed(cut: &Cut) -> io::Result<Vec<u8>> {
    let mut closed = cut.clone();
    closed.close();
    if cut.holes.is_empty() {
        return compressed(&closed);
    }
    let mut frame = compressed(cut)?;
    let noises: Vec<_> = (0..cut.holes.len()).map(noise).collect();
    if let Some(places) = places(&frame, &noises) {
        fill(&mut frame, &places, &cut.holes.iter().map(|hole| hole.characters).collect::<Vec<_>>());
        if zstd::bulk::decompress(&frame, closed.content.len()).is_ok_and(|unpacked| unpacked == closed.content) {
            return Ok(frame);
        }
    }
    compressed(&closed)
}

fn compressed(cut: &Cut) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::with_capacity(cut.content.len() / 2), LEVEL)?;
    encoder.set_pledged_src_size(Some(cut.content.len() as u64))?;
    let mut position = 0;
    for (number, hole) in cut.holes.iter().enumerate() {
        let before = cut.content.get(position..hole.position).unwrap_or_default();
        if !before.is_empty() {
            encoder.write_all(before)?;
            // Ends the block.
            encoder.flush()?;
        }
        encoder.write_all(&noise(number))?;
        encoder.flush()?;
        position = hole.position + HOLE_BYTES;
    }
    encoder.write_all(cut.content.get(position..).unwrap_or_default())?;
    encoder.finish()
}

/// What the head of a frame says (section 3.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub length: usize,
    /// Of what comes out.
    pub content_size: u64,
}

impl Head {
    /// From so many bytes one can tell how long it is.
    pub(crate) const START_BYTES: usize = 5;

    pub(crate) fn length_of(start: &[u8]) -> Option<usize> {
        head_bytes(start)
    }

    /// Of a frame as chunks are kept in: without dictionary and checksum, with its content's size, and for a reader who has
    /// memory for that and no more.
    pub(crate) fn of_chunk(bytes: &[u8]) -> Option<Self> {
        const CHECKSUM: u8 = 4;
        const DICTIONARY: u8 = 3;
        const SINGLE_SEGMENT: u8 = 0x20;
        let length = head_bytes(bytes)?;
        let descriptor = *bytes.get(4)?;
        if !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            || descriptor & (SINGLE_SEGMENT | CHECKSUM | DICTIONARY) != SINGLE_SEGMENT
        {
            return None;
        }
        let field = match descriptor >> 6 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let field_bytes = bytes.get(length - field..length)?;
        let number = field_bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // Two bytes count from 256 on.
        Some(Self { length, content_size: if field == 2 { number + 256 } else { number } })
    }
}

/// What the head of a block says: how many bytes of it follow, and whether it is the last of its frame.
pub(crate) fn block([low, middle, high]: [u8; BLOCK_HEAD_BYTES]) -> (usize, usize, bool) {
    let head = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    let (kind, size) = (head >> 1 & 3, head >> 3);
    (kind, if kind == RLE { 1 } else { size }, head & 1 == 1)
}

/// Where in a frame raw blocks hold just these characters, one after another.
fn places(frame: &[u8], characters: &[[u8; HOLE_BYTES]]) -> Option<Vec<u32>> {
    let mut wanted = characters.iter();
    let mut next = wanted.next();
    let mut places = Vec::with_capacity(characters.len());
    let mut position = head_bytes(frame)?;
    loop {
        let head = frame.get(position..position + BLOCK_HEAD_BYTES)?;
        let (kind, length, is_last) = block(head.try_into().ok()?);
        position += BLOCK_HEAD_BYTES;
        let content = frame.get(position..position + length)?;
        if kind == RAW && next.is_some_and(|characters| characters == content) {
            places.push(u32::try_from(position).ok()?);
            next = wanted.next();
        }
        position += length;
        if is_last {
            return (next.is_none()).then_some(places);
        }
    }
}

/// How long a frame's head is (section 3.1.1.1).
fn head_bytes(frame: &[u8]) -> Option<usize> {
    let descriptor = *frame.get(4)?;
    let is_single = descriptor & 0x20 != 0;
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let dictionary = match descriptor & 3 {
        3 => 4,
        other => usize::from(other),
    };
    Some(4 + 1 + usize::from(!is_single) + dictionary + content_size)
}

#[cfg(test)]
mod tests {
    use super::super::cut::Cutter;
    use super::*;

    fn cut(text: &[u8]) -> Cut {
        let mut cutter = Cutter::new("/nix/store");
        cutter.push(text);
        cutter.next(true).unwrap()
    }

    fn text(hash: char) -> Vec<u8> {
        let words = "what stands between two references of a program ".repeat(20);
        (0..300)
            .flat_map(|number| format!("{words}{number}/nix/store/{}-x", hash.to_string().repeat(32)).into_bytes())
            .collect()
    }

    #[test]
    fn one_frame_serves_every_build() {
        let (mut one, other) = (cut(&text('a')), cut(&text('b')));
        let mut frame = compress(&mut one).unwrap();
        assert_eq!(frame.holes.len(), 300);
        for cut in [&one, &other] {
            frame.fill(&cut.holes.iter().map(|hole| hole.characters).collect::<Vec<_>>());
            let mut closed = cut.clone();
            closed.close();
            assert!(zstd::bulk::decompress(&frame.bytes, closed.content.len()).unwrap() == closed.content);
        }
    }

    #[test]
    fn a_frame_whose_holes_are_copied_elsewhere_is_not_taken() {
        // Who knows the noise can write it into the content, where the compressor finds it again.
        let path = |hash: char| format!("/nix/store/{}-x", hash.to_string().repeat(32)).into_bytes();
        let mut text = vec![b' '; 1000];
        text.extend(path('a'));
        text.extend(noise(0));
        let mut cut = cut(&text);
        assert_eq!(cut.holes.len(), 1);
        let frame = compress(&mut cut).unwrap();
        assert_eq!((frame.holes.len(), cut.holes.len()), (0, 0));
        assert_eq!(zstd::bulk::decompress(&frame.bytes, text.len()).unwrap(), text);
    }

    #[test]
    fn a_frame_that_is_none_has_no_places() {
        let frame = compress(&mut cut(&text('a'))).unwrap();
        let zeros = [[0; HOLE_BYTES]; 300];
        assert_eq!(places(&frame.bytes, &zeros).unwrap(), frame.holes);
        for length in 0..frame.bytes.len() {
            assert_eq!(places(&frame.bytes[..length], &zeros), None);
        }
        assert_eq!(places(&frame.bytes, &[[1; HOLE_BYTES]]), None);
    }
}
