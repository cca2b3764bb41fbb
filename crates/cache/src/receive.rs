//! A NAR on its way in: unpacked, hashed, bounded, and packed as it is kept, in one pass.

use std::io::{self, BufReader, BufWriter, Read, Write};

use aux_core::limits::{CACHE_LISTING_ENTRIES_MAX, CACHE_NAR_BYTES_MAX};
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;
use aux_nix::nar::{Listing, NarError, Reader};

use crate::objects::{Incoming, ObjectError, classified};

/// The level of zstd: at 3 one core packs as fast as it hashes.
const LEVEL: i32 = 3;
const BUFFER_BYTES: usize = 256 << 10;
/// Enough to tell how something is packed.
const START_BYTES: usize = 8;

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
    /// Its listing, as JSON; empty where it has none.
    pub listing: String,
}

/// Why a NAR was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the client's bytes ended: {0}")]
    Client(io::Error),
    #[error("what was sent cannot be unpacked: {0}")]
    Packing(io::Error),
    #[error("what was sent is no NAR: {0}")]
    Nar(NarError),
    #[error("unpacked it has more than {CACHE_NAR_BYTES_MAX} bytes (CACHE_NAR_BYTES_MAX)")]
    TooLarge,
    #[error(transparent)]
    Disk(#[from] ObjectError),
}

/// How a NAR is packed. Its first bytes tell, and not its name: Nix 2.8 has one name for some packings and none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Packing {
    /// RFC 1952 section 2.3.1; the xz file format, section 2.1.1.1; RFC 8878 section 3.1.1.
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Reads all of `from`, and leaves the NAR in `incoming`, packed as zstd.
///
/// What came as zstd is kept as it came.
pub fn receive(from: &mut dyn Read, incoming: &mut Incoming) -> Result<Received, ReceiveError> {
    let path = incoming.path().to_path_buf();
    let disk = |cause| ReceiveError::Disk(classified(&path, cause));
    let mut start = Vec::with_capacity(START_BYTES);
    from.take(START_BYTES as u64).read_to_end(&mut start).map_err(ReceiveError::Client)?;
    let packing = Packing::of(&start);
    let mut from = start.chain(from);
    let mut sent = Sent { inner: &mut from, hash: Sha256Hasher::default(), size: 0, failure: None, copy: None };
    let mut kept = Kept::new(&incoming.file);
    let unpacked = if packing == Packing::Zstd {
        sent.copy = Some(&mut kept);
        let unpacked = unpack(&mut sent, packing, &mut io::sink());
        sent.copy = None;
        unpacked
    } else {
        pack(&mut sent, packing, &mut kept)
    };
    match sent.failure.take() {
        Some(Failure::Client(cause)) => return Err(ReceiveError::Client(cause)),
        Some(Failure::Disk(cause)) => return Err(disk(cause)),
        None => {}
    }
    let nar = unpacked.map_err(|error| match error {
        Unpack::Packing(cause) => ReceiveError::Packing(cause),
        Unpack::Disk(cause) => disk(cause),
        Unpack::Nar(error) => ReceiveError::Nar(error),
        Unpack::TooLarge => ReceiveError::TooLarge,
    })?;
    let (sent_hash, sent_size) = (sent.hash.finish(), sent.size);
    kept.flush().map_err(disk)?;
    let (file_hash, file_size) = (kept.hash.finish(), kept.size);
    let Unpacked { hash: nar_hash, size: nar_size, listing } = nar;
    Ok(Received { nar_hash, nar_size, sent_hash, sent_size, file_hash, file_size, listing })
}

/// Hashes a kept file and the NAR in it: what a check asks.
pub fn rehash(file: &mut dyn Read) -> Result<Received, ReceiveError> {
    let mut sent = Sent { inner: file, hash: Sha256Hasher::default(), size: 0, failure: None, copy: None };
    let nar = unpack(&mut sent, Packing::Zstd, &mut io::sink()).map_err(|error| match error {
        Unpack::Packing(cause) | Unpack::Disk(cause) => ReceiveError::Packing(cause),
        Unpack::Nar(error) => ReceiveError::Nar(error),
        Unpack::TooLarge => ReceiveError::TooLarge,
    })?;
    let (file_hash, file_size) = (sent.hash.finish(), sent.size);
    let Unpacked { hash: nar_hash, size: nar_size, listing } = nar;
    Ok(Received { nar_hash, nar_size, sent_hash: file_hash, sent_size: file_size, file_hash, file_size, listing })
}

enum Unpack {
    Packing(io::Error),
    Disk(io::Error),
    Nar(NarError),
    TooLarge,
}

/// A NAR that was read to its end.
struct Unpacked {
    hash: Sha256,
    size: u64,
    listing: String,
}

fn pack(sent: &mut Sent<'_, '_>, packing: Packing, kept: &mut Kept<'_>) -> Result<Unpacked, Unpack> {
    let mut encoder = zstd::stream::write::Encoder::new(kept, LEVEL).map_err(Unpack::Disk)?;
    encoder.include_checksum(true).map_err(Unpack::Disk)?;
    let unpacked = unpack(sent, packing, &mut encoder)?;
    encoder.finish().map_err(Unpack::Disk)?;
    Ok(unpacked)
}

/// Unpacks everything into `to`, and reads it as a NAR on the way, strictly.
fn unpack(sent: &mut Sent<'_, '_>, packing: Packing, to: &mut dyn Write) -> Result<Unpacked, Unpack> {
    let packed = BufReader::with_capacity(BUFFER_BYTES, sent);
    let inner: Box<dyn Read + '_> = match packing {
        Packing::None => Box::new(packed),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(packed, true)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed).map_err(Unpack::Packing)?),
    };
    let mut nar = Unpacking { inner, to, hash: Sha256Hasher::default(), size: 0, failure: None };
    let read = listing(&mut nar);
    match (nar.failure.take(), read) {
        (Some(failure), _) => Err(failure),
        (None, Err(error)) => Err(Unpack::Nar(error)),
        (None, Ok(listing)) => Ok(Unpacked { hash: nar.hash.finish(), size: nar.size, listing }),
    }
}

fn listing(nar: &mut Unpacking<'_>) -> Result<String, NarError> {
    let mut reader = Reader::with_capacity(BUFFER_BYTES, nar);
    let mut listing = Some(Listing::default());
    let mut entries: usize = 0;
    while let Some(event) = reader.next()? {
        entries += 1;
        // Names that JSON cannot hold and trees beyond the bound are served without a listing.
        listing = listing.filter(|_| entries <= CACHE_LISTING_ENTRIES_MAX);
        if listing.as_mut().is_some_and(|listing| listing.add(&event).is_err()) {
            listing = None;
        }
    }
    Ok(listing.map(Listing::finish).unwrap_or_default())
}

/// What comes out of the packing, hashed, bounded and handed on. It remembers why it failed, which the NAR's reader would
/// tell in its words.
struct Unpacking<'u> {
    inner: Box<dyn Read + 'u>,
    to: &'u mut dyn Write,
    hash: Sha256Hasher,
    size: u64,
    failure: Option<Unpack>,
}

impl Read for Unpacking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |failure: &mut Option<Unpack>, why: fn(io::Error) -> Unpack, cause: io::Error| {
            let shown = io::Error::from(cause.kind());
            *failure = Some(why(cause));
            shown
        };
        let length = match self.inner.read(buffer) {
            Ok(length) => length,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Err(cause),
            Err(cause) => return Err(failed(&mut self.failure, Unpack::Packing, cause)),
        };
        let piece = buffer.get(..length).unwrap_or_default();
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > CACHE_NAR_BYTES_MAX {
            return Err(failed(&mut self.failure, |_| Unpack::TooLarge, io::ErrorKind::FileTooLarge.into()));
        }
        self.hash.update(piece);
        match self.to.write_all(piece) {
            Ok(()) => Ok(length),
            Err(cause) => Err(failed(&mut self.failure, Unpack::Disk, cause)),
        }
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

    fn nar() -> Vec<u8> {
        let bytes: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut writer = aux_nix::nar::Writer::new(Vec::new());
        let mut file = writer.file(true, bytes.len() as u64).unwrap();
        file.put(&bytes).unwrap();
        file.finish().unwrap();
        writer.finish().unwrap()
    }

    fn take(bytes: &[u8]) -> Result<(Received, Vec<u8>), ReceiveError> {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(data.path()).unwrap();
        let mut incoming = objects.arrive().unwrap();
        let received = receive(&mut &*bytes, &mut incoming)?;
        Ok((received, std::fs::read(incoming.path()).unwrap()))
    }

    #[test]
    fn every_packing_gives_the_same_nar_and_the_kept_file_hashes_right() {
        let nar = nar();
        for sent in [nar.clone(), gzip(&nar), zstd::stream::encode_all(&*nar, 1).unwrap()] {
            let (received, kept) = take(&sent).unwrap();
            assert_eq!((received.nar_hash, received.nar_size), (Sha256::of(&nar), nar.len() as u64));
            assert_eq!((received.sent_hash, received.sent_size), (Sha256::of(&sent), sent.len() as u64));
            assert_eq!((received.file_hash, received.file_size), (Sha256::of(&kept), kept.len() as u64));
            assert_eq!(zstd::stream::decode_all(&*kept).unwrap(), nar);
            assert_eq!(rehash(&mut &*kept).unwrap().nar_hash, Sha256::of(&nar));
            assert!(received.listing.contains(r#""executable":true"#), "{}", received.listing);
        }
    }

    #[test]
    fn what_is_cut_damaged_or_no_nar_is_refused() {
        let nar = nar();
        let zstd = zstd::stream::encode_all(&*nar, 1).unwrap();
        for sent in [&zstd[..zstd.len() - 1], &gzip(&nar)[..100], b"\xfd7zXZ\0none", b"\x28\xb5\x2f\xfd"] {
            assert!(matches!(take(sent), Err(ReceiveError::Packing(_))), "{:?}", &sent[..8]);
        }
        let longer = [&nar[..], b"more"].concat();
        for sent in [&nar[..nar.len() - 8], &longer, b"", b"text", &gzip(b"text")] {
            assert!(matches!(take(sent), Err(ReceiveError::Nar(_))), "{} bytes", sent.len());
        }
    }
}
