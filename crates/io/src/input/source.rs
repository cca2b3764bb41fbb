//! One input: where its bytes come from, how they are unpacked, and the two bounds that stop a bomb.

use super::{InputError, Packing, read_bounded};
use aux_core::limits::{UNPACK_RATIO_FREE_BYTES, UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// Bytes asked of a file at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Memory an xz stream may ask for, KiB; `xz -9` needs 65 MiB.
const XZ_MEMORY_KIB_MAX: u32 = 256 << 10;

/// An open input. Reading it gives unpacked bytes; its errors are [`InputError`]s inside [`io::Error`].
pub struct Input<'a> {
    name: String,
    stream: Stream<'a>,
    unpacked_bytes: u64,
    /// Unpacked bytes that were looked at and not yet read, from `head_start` on.
    head: Vec<u8>,
    head_start: usize,
}

enum Stream<'a> {
    Plain(Packed<'a>),
    Gzip(Box<MultiGzDecoder<Packed<'a>>>),
    Zstd(Box<zstd::Decoder<'a, Packed<'a>>>),
    Xz(Box<XzReader<Packed<'a>>>),
    Bzip2(Box<MultiBzDecoder<Packed<'a>>>),
}

/// The bytes as they are outside, buffered and counted.
struct Packed<'a> {
    reader: Box<dyn Read + Send + 'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read_bytes: u64,
}

pub(super) fn open(path: &Path) -> Result<Input<'static>, InputError> {
    let name = path.display().to_string();
    if path.as_os_str() == "-" {
        return reader(name, io::stdin());
    }
    match File::open(path) {
        Ok(file) => reader(name, file),
        Err(cause) => Err(InputError::of_file(&name, cause)),
    }
}

/// An input over anything that can be read.
pub(super) fn reader<'a>(name: String, reader: impl Read + Send + 'a) -> Result<Input<'a>, InputError> {
    let mut packed = Packed { reader: Box::new(reader), buffer: vec![0; CHUNK_BYTES], start: 0, end: 0, read_bytes: 0 };
    let head = packed.peek(Packing::MAGIC_BYTES).map_err(|cause| InputError::of_file(&name, cause))?;
    let packing = Packing::of(head);
    let stream = match packing {
        Packing::Plain => Stream::Plain(packed),
        Packing::Gzip => Stream::Gzip(Box::new(MultiGzDecoder::new(packed))),
        Packing::Zstd => match zstd::Decoder::with_buffer(packed) {
            Ok(decoder) => Stream::Zstd(Box::new(decoder)),
            Err(cause) => return Err(InputError::Unpack { name, packing, cause }),
        },
        Packing::Xz => Stream::Xz(Box::new(XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB_MAX))),
        Packing::Bzip2 => Stream::Bzip2(Box::new(MultiBzDecoder::new(packed))),
    };
    Ok(Input { name, stream, unpacked_bytes: 0, head: Vec::new(), head_start: 0 })
}

impl Input<'_> {
    /// What the user called it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends everything that is left to `bytes`, refusing more than `limit_bytes`.
    pub fn read_into(&mut self, bytes: &mut Vec<u8>, limit_bytes: u64) -> Result<(), InputError> {
        match read_bounded(self, bytes, limit_bytes) {
            Ok(true) => Ok(()),
            Ok(false) => Err(InputError::TooLarge { name: self.name.clone(), limit_bytes }),
            Err(error) => Err(InputError::from_io(&self.name, error)),
        }
    }

    /// The next unpacked bytes, without consuming them; fewer than `wanted` only where the input ends.
    pub fn peek(&mut self, wanted: usize) -> Result<&[u8], InputError> {
        let mut head = self.head.split_off(self.head_start);
        self.head.clear();
        self.head_start = 0;
        let missing = wanted.saturating_sub(head.len()) as u64;
        let read = self.by_ref().take(missing).read_to_end(&mut head);
        self.head = head;
        match read {
            Ok(_) => Ok(&self.head),
            Err(error) => Err(InputError::from_io(&self.name, error)),
        }
    }

    fn packing(&self) -> (Packing, u64) {
        match &self.stream {
            Stream::Plain(packed) => (Packing::Plain, packed.read_bytes),
            Stream::Gzip(decoder) => (Packing::Gzip, decoder.get_ref().read_bytes),
            Stream::Zstd(decoder) => (Packing::Zstd, decoder.get_ref().read_bytes),
            Stream::Xz(decoder) => (Packing::Xz, decoder.inner().read_bytes),
            Stream::Bzip2(decoder) => (Packing::Bzip2, decoder.get_ref().read_bytes),
        }
    }

    /// Counts what was unpacked and refuses a bomb.
    fn count(&mut self, read: usize) -> Result<(), InputError> {
        self.unpacked_bytes += read as u64;
        let (packing, packed_bytes) = self.packing();
        if packing == Packing::Plain || self.unpacked_bytes <= UNPACK_RATIO_FREE_BYTES {
            return Ok(());
        }
        if self.unpacked_bytes > UNPACKED_BYTES_MAX {
            return Err(InputError::UnpackedBytes { name: self.name.clone(), limit_bytes: UNPACKED_BYTES_MAX });
        }
        if self.unpacked_bytes / UNPACK_RATIO_MAX > packed_bytes {
            return Err(InputError::UnpackRatio { name: self.name.clone(), limit: UNPACK_RATIO_MAX });
        }
        Ok(())
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(mut head) = self.head.get(self.head_start..).filter(|head| !head.is_empty()) {
            let read = head.read(buffer)?;
            self.head_start += read;
            return Ok(read);
        }
        let read = match &mut self.stream {
            Stream::Plain(packed) => packed.read(buffer),
            Stream::Gzip(decoder) => decoder.read(buffer),
            Stream::Zstd(decoder) => decoder.read(buffer),
            Stream::Xz(decoder) => decoder.read(buffer),
            Stream::Bzip2(decoder) => decoder.read(buffer),
        };
        match read {
            Ok(read) => {
                self.count(read).map_err(io::Error::other)?;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(cause) => {
                let name = self.name.clone();
                Err(io::Error::other(match self.packing().0 {
                    Packing::Plain => InputError::of_file(&name, cause),
                    packing => InputError::Unpack { name, packing, cause },
                }))
            }
        }
    }
}

impl Packed<'_> {
    /// The first bytes, without consuming them; fewer only where the input is shorter.
    fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.end < wanted {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => break,
                Ok(read) => {
                    self.end += read;
                    self.read_bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What stands in our buffer goes first; after that a plain file is read straight into the caller's.
        if self.start == self.end && buffer.len() >= CHUNK_BYTES {
            let read = self.reader.read(buffer)?;
            self.read_bytes += read as u64;
            return Ok(read);
        }
        let mut available = self.fill_buf()?;
        let read = available.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Packed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.reader.read(&mut self.buffer)?;
            self.read_bytes += self.end as u64;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }
}
