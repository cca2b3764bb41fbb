//! A packed NAR that comes as chunks: each zstd frame one of them, to be kept as it is.

use std::io::{self, BufRead, Chain, Cursor, Read};

use aux_core::limits::CACHE_CHUNK_BYTES_MAX;

use crate::objects::frame::{BLOCK_HEAD_BYTES, Head, block};
use crate::objects::reference::{self, Reference};

/// Longest frame that is taken as a chunk: one that does not compress, in many blocks.
const FRAME_BYTES_MAX: usize = CACHE_CHUNK_BYTES_MAX + CACHE_CHUNK_BYTES_MAX / 4;

/// Frames one after another.
pub(crate) struct Frames<R> {
    from: R,
    unpack: zstd::bulk::Decompressor<'static>,
}

/// What came next.
pub(crate) enum Next {
    Chunk {
        frame: Vec<u8>,
        content: Vec<u8>,
    },
    /// A chunk that is not sent.
    Reference(Reference),
    End,
    /// Something else; these bytes of it were read already.
    Other(Vec<u8>),
}

impl<R: BufRead> Frames<R> {
    pub(crate) fn new(from: R) -> io::Result<Self> {
        Ok(Self { from, unpack: zstd::bulk::Decompressor::new()? })
    }

    /// The next chunk. Whatever is none of ours is for a reader that takes every zstd.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let mut frame = Vec::new();
        if !self.take(&mut frame, Head::START_BYTES)? {
            return Ok(if frame.is_empty() { Next::End } else { Next::Other(frame) });
        }
        if Reference::is_skippable(&frame) {
            return self.reference(frame);
        }
        let fits = |head: &Head| head.content_size > 0 && head.content_size <= CACHE_CHUNK_BYTES_MAX as u64;
        let length = Head::length_of(&frame).unwrap_or_default();
        if !self.take(&mut frame, length)? {
            return Ok(Next::Other(frame));
        }
        let Some(head) = Head::of_chunk(&frame).filter(fits) else { return Ok(Next::Other(frame)) };
        let mut end = head.length;
        loop {
            if !self.take(&mut frame, end + BLOCK_HEAD_BYTES)? {
                return Ok(Next::Other(frame));
            }
            let head = frame.get(end..end + BLOCK_HEAD_BYTES).and_then(|head| head.try_into().ok()).unwrap_or_default();
            let (_, length, is_last) = block(head);
            end += BLOCK_HEAD_BYTES + length;
            if end > FRAME_BYTES_MAX || !self.take(&mut frame, end)? {
                return Ok(Next::Other(frame));
            }
            if is_last {
                break;
            }
        }
        let size = usize::try_from(head.content_size).unwrap_or(usize::MAX);
        match self.unpacked(&frame, size) {
            Some(content) => Ok(Next::Chunk { frame, content }),
            None => Ok(Next::Other(frame)),
        }
    }

    /// What is in a frame, if that has so many bytes.
    pub(crate) fn unpacked(&mut self, frame: &[u8], size: usize) -> Option<Vec<u8>> {
        self.unpack.decompress(frame, size).ok().filter(|content| content.len() == size)
    }

    fn reference(&mut self, mut frame: Vec<u8>) -> io::Result<Next> {
        if self.take(&mut frame, reference::HEAD_BYTES)?
            && let Some(length) = Reference::frame_bytes(&frame)
            && self.take(&mut frame, length)?
            && let Some(reference) = Reference::read(&frame)
        {
            return Ok(Next::Reference(reference));
        }
        Ok(Next::Other(frame))
    }

    /// What is left, with some bytes before it.
    pub(crate) fn rest(self, before: Vec<u8>) -> Chain<Cursor<Vec<u8>>, R> {
        Cursor::new(before).chain(self.from)
    }

    /// Reads on until so many bytes are there; not where it ends before.
    fn take(&mut self, bytes: &mut Vec<u8>, length: usize) -> io::Result<bool> {
        let missing = length.saturating_sub(bytes.len());
        (&mut self.from).take(missing as u64).read_to_end(bytes)?;
        Ok(bytes.len() >= length)
    }
}
