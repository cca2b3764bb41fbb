//! A stream of brotli, read to its end and no further: RFC 7932, which says nothing of what may follow it.

use std::io::{self, BufRead, Read};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

/// What is in one stream. Bytes behind its end are an error, as is an end before it.
///
/// Windows are those of the standard, at most 16 MiB: "large window" streams, which no Nix writes or reads, are refused, so that
/// one byte cannot ask for a gigabyte.
pub(crate) struct Brotli<R> {
    packed: R,
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    /// Bytes that came out, which the library wants to be told.
    total_bytes: usize,
    has_ended: bool,
}

impl<R: BufRead> Brotli<R> {
    pub(crate) fn new(packed: R) -> Self {
        let allocate = StandardAlloc::default;
        let state = BrotliState::new_strict(allocate(), allocate(), allocate());
        Self { packed, state, total_bytes: 0, has_ended: false }
    }
}

impl<R: BufRead> Read for Brotli<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.packed.fill_buf()?;
            let is_last = input.is_empty();
            if self.has_ended {
                let behind = || io::Error::new(io::ErrorKind::InvalidData, "there are bytes behind the end");
                return if is_last { Ok(0) } else { Err(behind()) };
            }
            let (mut left, mut taken, mut room, mut given) = (input.len(), 0, buffer.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut taken,
                input,
                &mut room,
                &mut given,
                buffer,
                &mut self.total_bytes,
                &mut self.state,
            );
            self.packed.consume(taken);
            match result {
                BrotliResult::ResultSuccess => self.has_ended = true,
                BrotliResult::ResultFailure => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged, or not brotli"));
                }
                BrotliResult::NeedsMoreInput if is_last && given == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Write as _};

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 22);
        encoder.write_all(bytes).unwrap();
        encoder.into_inner()
    }

    /// Through buffers of every size that cuts the stream somewhere else.
    fn unpacked(stream: &[u8], buffer_bytes: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Brotli::new(BufReader::with_capacity(buffer_bytes, stream)).read_to_end(&mut bytes).map(|_| bytes)
    }

    fn text() -> Vec<u8> {
        (0..20_000_u32).flat_map(|number| (number * number % 7_919).to_le_bytes()).collect()
    }

    #[test]
    fn a_stream_is_read_whole_however_it_is_cut_and_nothing_may_follow() {
        for text in [&text()[..], b"", b"x"] {
            let stream = packed(text);
            for buffer_bytes in [1, 2, 7, 8, 9, 4_096, 1 << 20] {
                assert_eq!(unpacked(&stream, buffer_bytes).unwrap(), text);
                for behind in [&b"\0"[..], b"x", &stream] {
                    let longer = [&stream, behind].concat();
                    let told = unpacked(&longer, buffer_bytes).unwrap_err();
                    assert_eq!(told.kind(), io::ErrorKind::InvalidData, "{buffer_bytes}: {told}");
                }
            }
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_has_no_end() {
        let stream = packed(&text());
        for length in (0..stream.len()).step_by(97).chain([0, 1, 2, stream.len() - 1]) {
            let told = unpacked(&stream[..length], 64).unwrap_err();
            assert_eq!(told.kind(), io::ErrorKind::UnexpectedEof, "{length}: {told}");
        }
    }

    /// Each byte changed in turn. There is no checksum, so that something may come out; it comes to an end, and nothing panics.
    #[test]
    fn damage_comes_to_an_end() {
        let stream = packed(&text()[..4_000]);
        let mut refused = 0;
        for place in 0..stream.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = stream.clone();
                damaged[place] ^= change;
                let mut bytes = Vec::new();
                let read = Brotli::new(&damaged[..]).take(1 << 20).read_to_end(&mut bytes);
                refused += usize::from(read.is_err());
            }
        }
        assert!(refused > 0, "of {}", stream.len() * 3);
    }

    #[test]
    fn a_window_beyond_the_standard_is_refused() {
        // 0x11 announces a window of more than 24 bits; the next byte how many.
        assert_eq!(unpacked(&[0x11, 30, 0, 0, 0, 0, 0, 0], 64).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
