//! A chunk as it is kept: one zstd frame, in which every store hash that was taken out has a place of its own.
//!
//! A hole is a raw block of 32 bytes (RFC 8878, section 3.1.1.2), and nothing else of the frame depends on what stands in it.
//! So the frame of any build is that of the first one with other bytes in its holes: nothing is compressed anew to be sent.

use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::stream::raw::{Encoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::compress_bound;

use super::cut::{Cut, HOLE_BYTES};

/// At 3 one core compresses as fast as it hashes.
const LEVEL: i32 = 3;
pub(crate) const BLOCK_HEAD_BYTES: usize = 3;
/// What a hole may add to a frame besides itself: heads of blocks, and less to find in what stands around it.
const HOLE_FRAME_BYTES_MAX: usize = 64;
/// Types of blocks (section 3.1.1.2.2).
const RAW: usize = 0;
const RLE: usize = 1;

/// A chunk as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// With zeros in its holes.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the holes are, in order.
    pub holes: Vec<u32>,
}

/// Packs chunks and proves what they unpack to, with the memory of the last one.
pub(crate) struct Packer {
    pack: Compressor<'static>,
    /// For blocks that end where it is told to.
    pack_blocks: Encoder<'static>,
    unpack: Decompressor<'static>,
    /// The frame that was packed last.
    frame: Vec<u8>,
    /// What a frame unpacked to.
    content: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            pack: Compressor::new(LEVEL)?,
            pack_blocks: Encoder::new(LEVEL)?,
            unpack: Decompressor::new()?,
            frame: Vec::new(),
            content: Vec::new(),
        })
    }

    /// Compresses a chunk. Where its holes cannot be kept apart from the rest, they are closed, in the chunk too.
    pub(crate) fn compress(&mut self, cut: &mut Cut) -> io::Result<Frame> {
        if !cut.holes.is_empty() {
            self.pack(cut)?;
            let bytes = self.frame.clone();
            let noises = (0..cut.holes.len()).map(noise).collect::<Vec<_>>();
            if let Some(frame) = self.with_holes(bytes, cut, &noises) {
                return Ok(frame);
            }
            cut.close();
        }
        self.pack(cut)?;
        Ok(Frame { bytes: self.frame.clone(), holes: Vec::new() })
    }

    /// The frame of a chunk as somebody sent it, who saw that it unpacks to its content.
    pub(crate) fn sent(&mut self, bytes: Vec<u8>, cut: &Cut) -> Option<Frame> {
        if cut.holes.is_empty() {
            return Some(Frame { bytes, holes: Vec::new() });
        }
        let characters: Vec<_> = cut.holes.iter().map(|hole| hole.characters).collect();
        self.with_holes(bytes, cut, &characters)
    }

    /// A chunk as it is sent by whoever has its NAR: its frame with its own hashes in the holes, and from then on in the chunk
    /// too. The receiver proves that they can be others. Memory of `frame` is used again.
    pub(crate) fn packed(&mut self, cut: &mut Cut, frame: &mut Vec<u8>) -> io::Result<()> {
        std::mem::swap(&mut self.frame, frame);
        let packed = self.pack_filled(cut);
        std::mem::swap(&mut self.frame, frame);
        packed
    }

    fn pack_filled(&mut self, cut: &mut Cut) -> io::Result<()> {
        if !cut.holes.is_empty() {
            self.pack(cut)?;
            let noises: Vec<_> = (0..cut.holes.len()).map(noise).collect();
            let places = places(&self.frame, &noises);
            let characters: Vec<_> = cut.holes.iter().map(|hole| hole.characters).collect();
            cut.close();
            if let Some(places) = places {
                fill(&mut self.frame, &places, &characters);
                if unpacked(&mut self.unpack, &self.frame, cut.content.len(), &mut self.content) == Some(&cut.content) {
                    return Ok(());
                }
            }
        }
        self.pack(cut)
    }

    /// A frame in whose holes some characters stand, if it is one of the chunk, and whatever is put into its holes comes out
    /// there and nowhere else. Zeros are in them from then on.
    fn with_holes(&mut self, bytes: Vec<u8>, cut: &Cut, characters: &[[u8; HOLE_BYTES]]) -> Option<Frame> {
        let holes = places(&bytes, characters)?;
        let mut frame = Frame { bytes, holes };
        // What the frame unpacks to as it is was seen by whoever made or took it. With every bit of its holes turned round,
        // all that was copied out of one is something else.
        let turned: Vec<[u8; HOLE_BYTES]> = characters.iter().map(|one| one.map(|byte| !byte)).collect();
        fill(&mut frame.bytes, &frame.holes, &turned);
        let unpacked = unpacked(&mut self.unpack, &frame.bytes, cut.content.len(), &mut self.content)?;
        let mut position = 0;
        for (hole, turned) in cut.holes.iter().zip(&turned) {
            let end = hole.position + HOLE_BYTES;
            let same = position..hole.position;
            if unpacked.get(same.clone())? != cut.content.get(same)? || unpacked.get(hole.position..end)? != turned {
                return None;
            }
            position = end;
        }
        let is_one = unpacked.get(position..)? == cut.content.get(position..)?;
        fill(&mut frame.bytes, &frame.holes, &vec![[0; HOLE_BYTES]; characters.len()]);
        is_one.then_some(frame)
    }

    /// Packs a chunk as it is, with noise in its holes.
    fn pack(&mut self, cut: &Cut) -> io::Result<()> {
        self.frame.clear();
        self.frame.reserve(compress_bound(cut.content.len()) + cut.holes.len() * HOLE_FRAME_BYTES_MAX);
        if cut.holes.is_empty() {
            return self.pack.compress_to_buffer(&cut.content, &mut self.frame).map(drop);
        }
        self.pack_blocks.reinit()?;
        self.pack_blocks.set_pledged_src_size(Some(cut.content.len() as u64))?;
        let mut to = OutBuffer::around(&mut self.frame);
        let mut position = 0;
        for (number, hole) in cut.holes.iter().enumerate() {
            let before = cut.content.get(position..hole.position).unwrap_or_default();
            for piece in [before, &noise(number)] {
                pack_piece(&mut self.pack_blocks, piece, &mut to)?;
                // Ends the block.
                complete(self.pack_blocks.flush(&mut to)?)?;
            }
            position = hole.position + HOLE_BYTES;
        }
        pack_piece(&mut self.pack_blocks, cut.content.get(position..).unwrap_or_default(), &mut to)?;
        complete(self.pack_blocks.finish(&mut to, true)?)
    }
}

fn pack_piece(packer: &mut Encoder<'_>, piece: &[u8], to: &mut OutBuffer<'_, Vec<u8>>) -> io::Result<()> {
    let mut from = InBuffer::around(piece);
    while from.pos() < piece.len() {
        let before = (from.pos(), to.pos());
        packer.run(&mut from, to)?;
        complete(usize::from((from.pos(), to.pos()) == before))?;
    }
    Ok(())
}

/// Nothing may be left that found no room.
fn complete(left: usize) -> io::Result<()> {
    if left == 0 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// What a frame unpacks to, if that has so many bytes.
fn unpacked<'c>(
    unpack: &mut Decompressor<'_>,
    frame: &[u8],
    size: usize,
    content: &'c mut Vec<u8>,
) -> Option<&'c Vec<u8>> {
    content.clear();
    content.reserve(size);
    unpack.decompress_to_buffer(frame, content).ok()?;
    Some(&*content).filter(|content| content.len() == size)
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
        let mut frame = Packer::new().unwrap().compress(&mut one).unwrap();
        assert_eq!(frame.holes.len(), 300);
        for cut in [&one, &other] {
            fill(&mut frame.bytes, &frame.holes, &cut.holes.iter().map(|hole| hole.characters).collect::<Vec<_>>());
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
        let frame = Packer::new().unwrap().compress(&mut cut).unwrap();
        assert_eq!((frame.holes.len(), cut.holes.len()), (0, 0));
        assert_eq!(zstd::bulk::decompress(&frame.bytes, text.len()).unwrap(), text);
    }

    #[test]
    fn a_frame_that_is_none_has_no_places() {
        let frame = Packer::new().unwrap().compress(&mut cut(&text('a'))).unwrap();
        let zeros = [[0; HOLE_BYTES]; 300];
        assert_eq!(places(&frame.bytes, &zeros).unwrap(), frame.holes);
        for length in 0..frame.bytes.len() {
            assert_eq!(places(&frame.bytes[..length], &zeros), None);
        }
        assert_eq!(places(&frame.bytes, &[[1; HOLE_BYTES]]), None);
    }
}
