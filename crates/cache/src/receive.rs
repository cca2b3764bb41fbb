//! A NAR on its way in: unpacked, hashed, bounded, and packed as it is kept, in one pass.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use aux_core::limits::CACHE_NAR_BYTES_MAX;
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;

use crate::names::Packing;
use crate::objects::{Incoming, ObjectError, classified};

/// The level of zstd: at 3 one core packs as fast as it hashes.
const LEVEL: i32 = 3;
const BUFFER_BYTES: usize = 256 << 10;

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub nar_hash: Sha256,
    pub nar_size: u64,
    /// Of the bytes that were sent.
    pub sent_hash: Sha256,
    pub sent_size: u64,
    /// Of the bytes that are kept.
    pub file_hash: Sha256,
    pub file_size: u64,
}

/// Why a NAR was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the client's bytes ended: {0}")]
    Client(io::Error),
    #[error("what was sent is not the packing that its name says: {0}")]
    Packing(io::Error),
    #[error("unpacked it has more than {CACHE_NAR_BYTES_MAX} bytes (CACHE_NAR_BYTES_MAX)")]
    TooLarge,
    #[error("it is empty")]
    Empty,
    #[error(transparent)]
    Disk(#[from] ObjectError),
}

/// Reads all of `from`, and leaves the NAR in `incoming`, packed as zstd.
///
/// What came as zstd is kept as it came.
pub fn receive(from: &mut dyn Read, packing: Packing, incoming: &mut Incoming) -> Result<Received, ReceiveError> {
    let path = incoming.path().to_path_buf();
    let disk = |cause| ReceiveError::Disk(classified(&path, cause));
    let mut sent = Sent { inner: from, hash: Sha256Hasher::default(), size: 0, failure: None, copy: None };
    let mut kept = Kept::new(&incoming.file);
    let unpacked = if packing == Packing::Zstd {
        sent.copy = Some(&mut kept);
        let unpacked = unpack(&mut sent, packing, &mut io::sink());
        sent.copy = None;
        unpacked
    } else {
        pack(&mut sent, packing, &mut kept)
    };
    if let Some(failure) = sent.failure.take() {
        return Err(match failure {
            Failure::Client(cause) => ReceiveError::Client(cause),
            Failure::Disk(cause) => disk(cause),
        });
    }
    let (nar_hash, nar_size) = match unpacked {
        Ok(unpacked) => unpacked,
        Err(Unpack::Packing(cause)) => return Err(ReceiveError::Packing(cause)),
        Err(Unpack::Disk(cause)) => return Err(disk(cause)),
        Err(Unpack::TooLarge) => return Err(ReceiveError::TooLarge),
    };
    if nar_size == 0 {
        return Err(ReceiveError::Empty);
    }
    let (sent_hash, sent_size) = (sent.hash.finish(), sent.size);
    kept.flush().map_err(disk)?;
    Ok(Received { nar_hash, nar_size, sent_hash, sent_size, file_hash: kept.hash.finish(), file_size: kept.size })
}

/// Hashes what a kept file unpacks to: what a check asks.
pub fn rehash(file: &mut dyn Read) -> io::Result<Received> {
    let mut sent = Sent { inner: file, hash: Sha256Hasher::default(), size: 0, failure: None, copy: None };
    let (nar_hash, nar_size) = match unpack(&mut sent, Packing::Zstd, &mut io::sink()) {
        Ok(unpacked) => unpacked,
        Err(Unpack::Packing(cause) | Unpack::Disk(cause)) => return Err(cause),
        Err(Unpack::TooLarge) => return Err(io::ErrorKind::FileTooLarge.into()),
    };
    let (file_hash, file_size) = (sent.hash.finish(), sent.size);
    Ok(Received { nar_hash, nar_size, sent_hash: file_hash, sent_size: file_size, file_hash, file_size })
}

enum Unpack {
    Packing(io::Error),
    Disk(io::Error),
    TooLarge,
}

fn pack(sent: &mut Sent<'_, '_>, packing: Packing, kept: &mut Kept<'_>) -> Result<(Sha256, u64), Unpack> {
    let mut encoder = zstd::stream::write::Encoder::new(kept, LEVEL).map_err(Unpack::Disk)?;
    encoder.include_checksum(true).map_err(Unpack::Disk)?;
    let unpacked = unpack(sent, packing, &mut encoder)?;
    encoder.finish().map_err(Unpack::Disk)?;
    Ok(unpacked)
}

/// Unpacks everything into `to`, and returns the hash and the size of what came out.
fn unpack(sent: &mut Sent<'_, '_>, packing: Packing, to: &mut dyn Write) -> Result<(Sha256, u64), Unpack> {
    let mut reader: Box<dyn Read + '_> = match packing {
        Packing::None => Box::new(sent),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, sent))),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(BufReader::with_capacity(BUFFER_BYTES, sent), true)),
        Packing::Zstd => {
            let buffered = BufReader::with_capacity(BUFFER_BYTES, sent);
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(Unpack::Packing)?)
        }
    };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, &mut reader);
    let mut hash = Sha256Hasher::default();
    let mut size: u64 = 0;
    loop {
        let piece = match reader.fill_buf() {
            Ok([]) => return Ok((hash.finish(), size)),
            Ok(piece) => piece,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(Unpack::Packing(cause)),
        };
        size = size.saturating_add(piece.len() as u64);
        if size > CACHE_NAR_BYTES_MAX {
            return Err(Unpack::TooLarge);
        }
        hash.update(piece);
        to.write_all(piece).map_err(Unpack::Disk)?;
        let length = piece.len();
        reader.consume(length);
    }
}

/// What comes from the client, hashed as it comes. It remembers why it failed, which decoders would tell in their words.
struct Sent<'r, 'k> {
    inner: &'r mut dyn Read,
    hash: Sha256Hasher,
    size: u64,
    failure: Option<Failure>,
    copy: Option<&'k mut dyn Write>,
}

enum Failure {
    Client(io::Error),
    Disk(io::Error),
}

impl Read for Sent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.inner.read(buffer) {
            Ok(length) => length,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Err(cause),
            Err(cause) => {
                let shown = io::Error::from(cause.kind());
                self.failure = Some(Failure::Client(cause));
                return Err(shown);
            }
        };
        let piece = buffer.get(..length).unwrap_or_default();
        self.hash.update(piece);
        self.size += piece.len() as u64;
        if let Some(Err(cause)) = self.copy.as_mut().map(|copy| copy.write_all(piece)) {
            let shown = io::Error::from(cause.kind());
            self.failure = Some(Failure::Disk(cause));
            return Err(shown);
        }
        Ok(length)
    }
}

/// What goes to the disk, hashed as it goes.
struct Kept<'f> {
    inner: BufWriter<&'f std::fs::File>,
    hash: Sha256Hasher,
    size: u64,
}

impl<'f> Kept<'f> {
    fn new(file: &'f std::fs::File) -> Self {
        Self { inner: BufWriter::with_capacity(BUFFER_BYTES, file), hash: Sha256Hasher::default(), size: 0 }
    }
}

impl Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        let written = bytes.get(..length).unwrap_or_default();
        self.hash.update(written);
        self.size += written.len() as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Objects;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn take(bytes: &[u8], packing: Packing) -> Result<(Received, Vec<u8>), ReceiveError> {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(data.path()).unwrap();
        let mut incoming = objects.arrive().unwrap();
        let received = receive(&mut &*bytes, packing, &mut incoming)?;
        Ok((received, std::fs::read(incoming.path()).unwrap()))
    }

    #[test]
    fn every_packing_gives_the_same_nar_and_the_kept_file_hashes_right() {
        let nar: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let zstd = zstd::stream::encode_all(&*nar, 1).unwrap();
        for (sent, packing) in [(nar.clone(), Packing::None), (gzip(&nar), Packing::Gzip), (zstd, Packing::Zstd)] {
            let (received, kept) = take(&sent, packing).unwrap();
            assert_eq!((received.nar_hash, received.nar_size), (Sha256::of(&nar), nar.len() as u64));
            assert_eq!((received.sent_hash, received.sent_size), (Sha256::of(&sent), sent.len() as u64));
            assert_eq!((received.file_hash, received.file_size), (Sha256::of(&kept), kept.len() as u64));
            assert_eq!(zstd::stream::decode_all(&*kept).unwrap(), nar);
            assert_eq!(rehash(&mut &*kept).unwrap().nar_hash, Sha256::of(&nar));
        }
    }

    #[test]
    fn what_is_cut_or_packed_otherwise_is_refused() {
        let nar = vec![7_u8; 100_000];
        let zstd = zstd::stream::encode_all(&*nar, 1).unwrap();
        for (sent, packing) in [
            (&zstd[..zstd.len() - 1], Packing::Zstd),
            (&nar[..], Packing::Zstd),
            (&nar[..], Packing::Gzip),
            (&gzip(&nar)[..100], Packing::Gzip),
            (&nar[..], Packing::Xz),
        ] {
            assert!(matches!(take(sent, packing), Err(ReceiveError::Packing(_))), "{packing:?}");
        }
        assert!(matches!(take(b"", Packing::None), Err(ReceiveError::Empty)));
    }
}
