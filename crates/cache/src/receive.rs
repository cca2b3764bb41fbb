//! A NAR on its way in: kept as it was sent, and unpacked, hashed, bounded and read strictly in the same pass.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use aux_core::limits::{CACHE_LISTING_ENTRIES_MAX, CACHE_NAR_BYTES_MAX};
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;
use aux_nix::nar::{Listing, NarError, Reader};
use aux_nix::narinfo::Compression;

use crate::frames::{Frames, Next};
use crate::objects::{Arriving, ObjectError, Objects, SentChunk, Taken, classified};

const BUFFER_BYTES: usize = 256 << 10;
/// Enough to tell how something is packed.
const START_BYTES: usize = 8;

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub nar_hash: Sha256,
    pub nar_size: u64,
    pub packing: Packing,
    /// Of the bytes that were sent.
    pub file_hash: Sha256,
    pub file_size: u64,
    /// Of the bytes that are kept, and sent to others: the same, or what chunks give.
    pub kept_hash: Sha256,
    pub kept_size: u64,
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
    #[error("unpacked it has more than the {bytes} bytes that were announced")]
    Longer { bytes: u64 },
    #[error("it refers to a chunk that is not in this cache")]
    Reference,
    #[error(transparent)]
    Disk(#[from] ObjectError),
}

/// What is known of a NAR before it comes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Awaited<'a> {
    /// One that unpacks to more bytes is read no further.
    pub bytes_max: Option<u64>,
    /// Whose chunks it may refer to instead of having them; to none where it may not at all.
    pub may_refer: Option<&'a dyn Fn(Sha256) -> bool>,
}

/// How a NAR is packed. Its first bytes tell, and not its name: Nix 2.8 has one name for some packings and none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Packing {
    const ALL: [Self; 4] = [Self::None, Self::Gzip, Self::Xz, Self::Zstd];

    /// As a narinfo calls it.
    pub fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Xz => Compression::Xz,
            Self::Zstd => Compression::Zstd,
        }
    }

    /// What stands behind `.nar` in a name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }

    /// By what stands behind `.nar`.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|packing| packing.suffix() == suffix)
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|packing| packing.compression().name() == name)
    }

    /// RFC 1952 section 2.3.1; the xz file format, section 2.1.1.1; RFC 8878 sections 3.1.1 and 3.1.2.
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Reads all of `from`, and has it ready to be kept, if it is a NAR.
pub(crate) fn receive<'o>(
    from: &mut dyn Read,
    objects: &'o Objects,
    awaited: Awaited<'_>,
) -> Result<(Received, Arriving<'o>), ReceiveError> {
    let start = start(from)?;
    let packing = Packing::of(&start);
    let arriving = objects.arrive(packing)?;
    receive_into((start, from), packing, arriving, awaited)
}

/// The same, to be kept as it came whatever it is.
pub(crate) fn receive_whole<'o>(
    from: &mut dyn Read,
    objects: &'o Objects,
) -> Result<(Received, Arriving<'o>), ReceiveError> {
    let start = start(from)?;
    let packing = Packing::of(&start);
    receive_into((start, from), packing, objects.arrive_whole()?, Awaited::default())
}

fn receive_into<'o>(
    (start, from): (Vec<u8>, &mut dyn Read),
    packing: Packing,
    mut arriving: Arriving<'o>,
    awaited: Awaited<'_>,
) -> Result<(Received, Arriving<'o>), ReceiveError> {
    let start = &*start;
    let mut received = if let Some(incoming) = arriving.file() {
        let path = incoming.path().to_path_buf();
        let mut kept = BufWriter::with_capacity(BUFFER_BYTES, &incoming.file);
        let received = take(&mut start.chain(from), packing, (&mut kept, &path), None, awaited)?;
        kept.flush().map_err(|cause| classified(&path, cause))?;
        received
    } else {
        take(&mut start.chain(from), packing, (&mut io::sink(), Path::new("")), Some(&mut arriving), awaited)?
    };
    if let Some(shelved) = arriving.finish()? {
        (received.kept_hash, received.kept_size) = (shelved.file_hash, shelved.file_size);
    }
    Ok((received, arriving))
}

/// Hashes a kept file and the NAR in it: what a check asks.
pub(crate) fn rehash(file: &mut dyn Read) -> Result<Received, ReceiveError> {
    let start = start(file)?;
    let packing = Packing::of(&start);
    take(&mut start.chain(file), packing, (&mut io::sink(), Path::new("")), None, Awaited::default())
}

fn start(from: &mut dyn Read) -> Result<Vec<u8>, ReceiveError> {
    let mut start = Vec::with_capacity(START_BYTES);
    from.take(START_BYTES as u64).read_to_end(&mut start).map_err(ReceiveError::Client)?;
    Ok(start)
}

/// Reads everything, writes what came to `kept`, whose path is for errors, and hands what is in it to `shelf`.
fn take(
    from: &mut dyn Read,
    packing: Packing,
    (kept, path): (&mut dyn Write, &Path),
    shelf: Option<&mut Arriving<'_>>,
    awaited: Awaited<'_>,
) -> Result<Received, ReceiveError> {
    let mut sent = Sent { inner: from, kept, size: 0, failure: None };
    let hasher = RefCell::default();
    let unpacked = unpack((&mut sent, &hasher), packing, shelf, awaited);
    match sent.failure.take() {
        Some(Failure::Client(cause)) => return Err(ReceiveError::Client(cause)),
        Some(Failure::Disk(cause)) => return Err(ReceiveError::Disk(classified(path, cause))),
        Some(Failure::TooLarge) => return Err(ReceiveError::TooLarge),
        None => {}
    }
    let Unpacked { hash: nar_hash, size: nar_size, listing } = unpacked.map_err(|error| match error {
        Unpack::Packing(cause) => ReceiveError::Packing(cause),
        Unpack::Nar(error) => ReceiveError::Nar(error),
        Unpack::TooLarge => awaited.bytes_max.map_or(ReceiveError::TooLarge, |bytes| ReceiveError::Longer { bytes }),
        Unpack::Reference => ReceiveError::Reference,
        Unpack::Disk(error) => ReceiveError::Disk(error),
    })?;
    let Hashing { hasher, size: hashed } = hasher.into_inner();
    if hashed != sent.size {
        // A decoder that leaves something in its buffer would have it kept without a hash.
        return Err(ReceiveError::Packing(io::Error::new(io::ErrorKind::InvalidData, "something follows its end")));
    }
    let (file_hash, file_size) = (hasher.finish(), sent.size);
    let (kept_hash, kept_size) = (file_hash, file_size);
    Ok(Received { nar_hash, nar_size, packing, file_hash, file_size, kept_hash, kept_size, listing })
}

enum Unpack {
    Packing(io::Error),
    Nar(NarError),
    TooLarge,
    Reference,
    Disk(ObjectError),
}

/// A NAR that was read to its end.
struct Unpacked {
    hash: Sha256,
    size: u64,
    listing: String,
}

/// Unpacks everything, and reads it as a NAR, strictly. What stands behind the packing's end is read too, and refused.
fn unpack(
    (sent, hasher): (&mut Sent<'_>, &RefCell<Hashing>),
    packing: Packing,
    shelf: Option<&mut Arriving<'_>>,
    awaited: Awaited<'_>,
) -> Result<Unpacked, Unpack> {
    let packed = Hashed { inner: BufReader::with_capacity(BUFFER_BYTES, sent), hasher };
    let inner = if shelf.is_some() && packing == Packing::Zstd {
        let frames = Frames::new(Box::new(packed) as Box<dyn BufRead>).map_err(Unpack::Packing)?;
        Inner::Chunks(Chunks { frames: Some(frames), sent: hasher, waiting: None, content: Vec::new(), position: 0 })
    } else {
        Inner::Bytes(unpacked(packed, packing).map_err(Unpack::Packing)?)
    };
    let limit_bytes = awaited.bytes_max.map_or(CACHE_NAR_BYTES_MAX, |bytes| bytes.min(CACHE_NAR_BYTES_MAX));
    let may_refer = awaited.may_refer;
    let mut nar =
        Unpacking { inner, shelf, may_refer, hash: Sha256Hasher::default(), size: 0, limit_bytes, failure: None };
    let read = listing(&mut nar);
    match (nar.failure.take(), read) {
        (Some(failure), _) => Err(failure),
        (None, Err(error)) => Err(Unpack::Nar(error)),
        (None, Ok(listing)) => Ok(Unpacked { hash: nar.hash.finish(), size: nar.size, listing }),
    }
}

/// What is in a packing.
pub(crate) fn unpacked<'r>(packed: impl BufRead + 'r, packing: Packing) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packing {
        Packing::None => Box::new(packed),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(packed, true)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
    })
}

fn listing(nar: &mut Unpacking<'_, '_, '_>) -> Result<String, NarError> {
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

/// What comes out of the packing, hashed and bounded. It remembers why it failed, which the NAR's reader would
/// tell in its words.
struct Unpacking<'u, 's, 'o> {
    inner: Inner<'u>,
    shelf: Option<&'s mut Arriving<'o>>,
    may_refer: Option<&'u dyn Fn(Sha256) -> bool>,
    hash: Sha256Hasher,
    size: u64,
    limit_bytes: u64,
    failure: Option<Unpack>,
}

enum Inner<'u> {
    Bytes(Box<dyn Read + 'u>),
    /// As long as every frame is a chunk.
    Chunks(Chunks<'u>),
}

/// Frames, and the chunk that is being read.
struct Chunks<'u> {
    frames: Option<Frames<Box<dyn BufRead + 'u>>>,
    /// Of what came until now.
    sent: &'u RefCell<Hashing>,
    /// The frame of the chunk, to be handed on once it was read, and the hash of all until its end.
    waiting: Option<(Vec<u8>, Sha256Hasher)>,
    content: Vec<u8>,
    position: usize,
}

impl Read for Unpacking<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = loop {
            match &mut self.inner {
                Inner::Bytes(inner) => {
                    break inner.read(buffer).map_err(Unpack::Packing).and_then(|length| self.took(buffer, length));
                }
                Inner::Chunks(Chunks { content, position, .. }) if *position < content.len() => {
                    let rest = content.get(*position..).unwrap_or_default();
                    let length = rest.len().min(buffer.len());
                    if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
                        to.copy_from_slice(from);
                    }
                    *position += length;
                    break Ok(length);
                }
                Inner::Chunks(_) => match self.next_chunk() {
                    Ok(true) => {}
                    Ok(false) => break Ok(0),
                    Err(failure) => break Err(failure),
                },
            }
        };
        read.map_err(|failure| match failure {
            Unpack::Packing(cause) if cause.kind() == io::ErrorKind::Interrupted => cause,
            failure => {
                let shown = match &failure {
                    Unpack::Packing(cause) => cause.kind(),
                    _ => io::ErrorKind::Other,
                };
                self.failure = Some(failure);
                shown.into()
            }
        })
    }
}

impl Unpacking<'_, '_, '_> {
    /// Counts, hashes and hands on what was read.
    fn took(&mut self, buffer: &[u8], length: usize) -> Result<usize, Unpack> {
        let piece = buffer.get(..length).unwrap_or_default();
        self.count(piece)?;
        if let Some(shelf) = &mut self.shelf {
            shelf.push(Taken::Bytes(piece)).map_err(Unpack::Disk)?;
        }
        Ok(length)
    }

    fn count(&mut self, piece: &[u8]) -> Result<(), Unpack> {
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > self.limit_bytes {
            return Err(Unpack::TooLarge);
        }
        self.hash.update(piece);
        Ok(())
    }

    /// Hands on the chunk that was read, and takes the next; `false` at the end.
    fn next_chunk(&mut self) -> Result<bool, Unpack> {
        let (Inner::Chunks(chunks), Some(shelf)) = (&mut self.inner, &mut self.shelf) else { return Ok(false) };
        let content = std::mem::take(&mut chunks.content);
        chunks.position = 0;
        if let Some((frame, sent_until)) = chunks.waiting.take() {
            shelf.push(Taken::Chunk(SentChunk { frame, content, sent_until })).map_err(Unpack::Disk)?;
        }
        let Some(mut frames) = chunks.frames.take() else { return Ok(false) };
        match frames.next().map_err(Unpack::Packing)? {
            Next::End => return Ok(false),
            Next::Chunk { frame, content } => {
                chunks.waiting = Some((frame, chunks.sent.borrow().hasher.clone()));
                chunks.content = content;
            }
            Next::Reference(reference) => {
                let may_refer = self.may_refer.ok_or(Unpack::Reference)?;
                let known = shelf.find(reference, may_refer).map_err(Unpack::Disk)?.ok_or(Unpack::Reference)?;
                chunks.content = frames.unpacked(&known.frame, known.size()).ok_or(Unpack::Reference)?;
                shelf.push(Taken::Known(known, &chunks.content)).map_err(Unpack::Disk)?;
            }
            Next::Other(before) => {
                let rest = unpacked(frames.rest(before), Packing::Zstd).map_err(Unpack::Packing)?;
                self.inner = Inner::Bytes(rest);
                return Ok(true);
            }
        }
        chunks.frames = Some(frames);
        self.size = self.size.saturating_add(chunks.content.len() as u64);
        if self.size > self.limit_bytes {
            return Err(Unpack::TooLarge);
        }
        self.hash.update(&chunks.content);
        Ok(true)
    }
}

/// What was read until now.
#[derive(Default)]
struct Hashing {
    hasher: Sha256Hasher,
    size: u64,
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

/// Hashes what is read of it, and nothing that only lies in its buffer.
struct Hashed<'h, R> {
    inner: R,
    hasher: &'h RefCell<Hashing>,
}

impl<R: BufRead> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.borrow_mut().update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Hashed<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        // What is consumed lies in the buffer, so that this reads nothing.
        if let Some(buffer) = (length > 0).then(|| self.inner.fill_buf().ok()).flatten() {
            self.hasher.borrow_mut().update(buffer.get(..length).unwrap_or_default());
        }
        self.inner.consume(length);
    }
}

/// What comes from the client, counted and kept as it comes. It remembers why it failed, which decoders would tell in their
/// words.
struct Sent<'s> {
    inner: &'s mut dyn Read,
    kept: &'s mut dyn Write,
    size: u64,
    failure: Option<Failure>,
}

enum Failure {
    Client(io::Error),
    Disk(io::Error),
    /// Packed, it is larger than it may be unpacked: a packing can be endless and hold nothing.
    TooLarge,
}

impl Read for Sent<'_> {
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
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > CACHE_NAR_BYTES_MAX {
            self.failure = Some(Failure::TooLarge);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Err(cause) = self.kept.write_all(piece) {
            let shown = io::Error::from(cause.kind());
            self.failure = Some(Failure::Disk(cause));
            return Err(shown);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Keep, Layout};

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

    fn objects(data: &Path, keep: Keep) -> Objects {
        let records = std::sync::Arc::new(crate::records::Records::open(data).unwrap());
        let incoming = data.join("incoming");
        let layout = Layout { data, incoming: &incoming, store_directory: "/nix/store", keep, is_shared: false };
        Objects::open(&layout, &records, None).unwrap()
    }

    fn taken(bytes: &[u8]) -> Result<(Received, Vec<u8>), ReceiveError> {
        let data = tempfile::tempdir().unwrap();
        let objects = objects(data.path(), Keep::Whole);
        let (received, mut arriving) = receive(&mut &*bytes, &objects, Awaited::default())?;
        Ok((received, std::fs::read(arriving.file().unwrap().path()).unwrap()))
    }

    #[test]
    fn every_packing_gives_the_same_nar_and_the_kept_file_hashes_right() {
        let nar = nar();
        for sent in [nar.clone(), gzip(&nar), zstd::stream::encode_all(&*nar, 1).unwrap()] {
            let (received, kept) = taken(&sent).unwrap();
            assert_eq!((received.nar_hash, received.nar_size), (Sha256::of(&nar), nar.len() as u64));
            assert_eq!((received.file_hash, received.file_size), (Sha256::of(&sent), sent.len() as u64));
            assert_eq!(kept, sent);
            assert_eq!(rehash(&mut &*kept).unwrap().nar_hash, Sha256::of(&nar));
            assert!(received.listing.contains(r#""executable":true"#), "{}", received.listing);
        }
    }

    #[test]
    fn what_unpacks_to_more_than_was_announced_is_read_no_further() {
        let nar = nar();
        let bomb = zstd::stream::encode_all(&*nar, 1).unwrap();
        let data = tempfile::tempdir().unwrap();
        let bytes = nar.len() as u64;
        for keep in [Keep::Whole, Keep::Chunks] {
            let objects = objects(data.path(), keep);
            let at_most = |bytes| Awaited { bytes_max: Some(bytes), may_refer: None };
            assert!(receive(&mut &*bomb, &objects, at_most(bytes)).is_ok());
            let refused = receive(&mut &*bomb, &objects, at_most(bytes - 1)).err();
            assert!(matches!(refused, Some(ReceiveError::Longer { bytes: announced }) if announced == bytes - 1));
        }
    }

    #[test]
    fn what_is_cut_damaged_or_no_nar_is_refused() {
        let nar = nar();
        let zstd = zstd::stream::encode_all(&*nar, 1).unwrap();
        for sent in [&zstd[..zstd.len() - 1], &gzip(&nar)[..100], b"\xfd7zXZ\0none", b"\x28\xb5\x2f\xfd"] {
            assert!(matches!(taken(sent), Err(ReceiveError::Packing(_))), "{:?}", &sent[..8]);
        }
        let longer = [&nar[..], b"more"].concat();
        for sent in [&nar[..nar.len() - 8], &longer, b"", b"text", &gzip(b"text")] {
            assert!(matches!(taken(sent), Err(ReceiveError::Nar(_))), "{} bytes", sent.len());
        }
    }
}
