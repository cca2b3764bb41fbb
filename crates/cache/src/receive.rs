//! A NAR on its way in: kept as it was sent, and unpacked, hashed, bounded and read strictly in the same pass.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use aux_core::limits::{CACHE_LISTING_ENTRIES_MAX, CACHE_NAR_BYTES_MAX};
use aux_nix::Sha256;
use aux_nix::hash::Sha256Hasher;
use aux_nix::nar::{Listing, NarError, Reader};

use crate::frames::{Frames, Next};
use crate::objects::{Arriving, ObjectError, Objects, SentChunk, Taken, classified};
use crate::packing::{Packing, START_BYTES, unpacked};
use crate::sent::{Failure, Hashed, Hashing, Sent};

const BUFFER_BYTES: usize = 256 << 10;

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
    /// How it is packed, by its name or the records.
    pub packing: Option<Packing>,
    /// One that unpacks to more bytes is read no further.
    pub bytes_max: Option<u64>,
    /// Whose chunks it may refer to instead of having them; to none where it may not at all.
    pub may_refer: Option<&'a dyn Fn(Sha256) -> bool>,
}

/// Reads all of `from`, and has it ready to be kept, if it is a NAR.
pub(crate) fn receive<'o>(
    from: &mut dyn Read,
    objects: &'o Objects,
    awaited: Awaited<'_>,
) -> Result<(Received, Arriving<'o>), ReceiveError> {
    let start = start(from)?;
    let packing = Packing::of(&start, awaited.packing);
    let arriving = objects.arrive(packing)?;
    receive_into((start, from), packing, arriving, awaited)
}

/// The same, to be kept as it came whatever it is.
pub(crate) fn receive_whole<'o>(
    from: &mut dyn Read,
    named: Option<Packing>,
    objects: &'o Objects,
) -> Result<(Received, Arriving<'o>), ReceiveError> {
    let start = start(from)?;
    let packing = Packing::of(&start, named);
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

/// Hashes a kept file and the NAR in it, which the records say is packed so: what a check asks.
pub(crate) fn rehash(file: &mut dyn Read, recorded: Packing) -> Result<Received, ReceiveError> {
    let start = start(file)?;
    let packing = Packing::of(&start, Some(recorded));
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
            shelf
                .push(Taken::Chunk(SentChunk { frame, content, sent_until: Some(sent_until) }))
                .map_err(Unpack::Disk)?;
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
        writer.file(true, bytes.len() as u64).unwrap();
        writer.content(&bytes).unwrap();
        writer.end_file().unwrap();
        writer.finish().unwrap()
    }

    fn objects(data: &Path, keep: Keep) -> Objects {
        let records = std::sync::Arc::new(crate::records::Records::open(data).unwrap());
        let incoming = data.join("incoming");
        let layout = Layout { data, incoming: &incoming, store_directory: "/nix/store", keep, is_shared: false };
        Objects::open(&layout, &records, None).unwrap()
    }

    fn taken(bytes: &[u8]) -> Result<(Received, Vec<u8>), ReceiveError> {
        taken_as(bytes, None)
    }

    fn taken_as(bytes: &[u8], named: Option<Packing>) -> Result<(Received, Vec<u8>), ReceiveError> {
        let data = tempfile::tempdir().unwrap();
        let objects = objects(data.path(), Keep::Whole);
        let (received, mut arriving) =
            receive(&mut &*bytes, &objects, Awaited { packing: named, ..Awaited::default() })?;
        Ok((received, std::fs::read(arriving.file().unwrap().path()).unwrap()))
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, 2, 22);
        encoder.write_all(bytes).unwrap();
        encoder.into_inner()
    }

    /// All but xz, of which only the reader is here: a real Nix writes that in the server's tests.
    const PACKINGS: [Packing; 5] = [Packing::None, Packing::Brotli, Packing::Bzip2, Packing::Gzip, Packing::Zstd];

    fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
        match packing {
            Packing::None => bytes.to_vec(),
            Packing::Brotli => brotli(bytes),
            Packing::Bzip2 => bzip2(bytes),
            Packing::Gzip => gzip(bytes),
            Packing::Xz => unreachable!(),
            Packing::Zstd => zstd::stream::encode_all(bytes, 1).unwrap(),
        }
    }

    #[test]
    fn every_packing_gives_the_same_nar_and_the_kept_file_hashes_right() {
        let nar = nar();
        for packing in PACKINGS {
            let sent = packed(&nar, packing);
            let (received, kept) = taken_as(&sent, Some(packing)).unwrap();
            assert_eq!(received.packing, packing);
            assert_eq!((received.nar_hash, received.nar_size), (Sha256::of(&nar), nar.len() as u64));
            assert_eq!((received.file_hash, received.file_size), (Sha256::of(&sent), sent.len() as u64));
            assert_eq!(kept, sent);
            assert_eq!(rehash(&mut &*kept, packing).unwrap().nar_hash, Sha256::of(&nar));
            assert!(received.listing.contains(r#""executable":true"#), "{}", received.listing);
            // But for brotli its first bytes tell, whatever it is called.
            let unnamed = taken(&sent).map(|(received, _)| received.packing);
            match packing {
                Packing::Brotli => assert!(matches!(unnamed, Err(ReceiveError::Nar(_)))),
                _ => assert_eq!(unnamed.unwrap(), packing),
            }
            assert!(packing == Packing::Brotli || taken_as(&sent, Some(Packing::Brotli)).is_err());
        }
    }

    #[test]
    fn what_unpacks_to_more_than_was_announced_is_read_no_further() {
        let nar = nar();
        let bytes = nar.len() as u64;
        for packing in PACKINGS {
            let bomb = packed(&nar, packing);
            for keep in [Keep::Whole, Keep::Chunks] {
                let data = tempfile::tempdir().unwrap();
                let objects = objects(data.path(), keep);
                let at_most = |bytes| Awaited { packing: Some(packing), bytes_max: Some(bytes), may_refer: None };
                assert!(receive(&mut &*bomb, &objects, at_most(bytes)).is_ok());
                let refused = receive(&mut &*bomb, &objects, at_most(bytes - 1)).err();
                assert!(matches!(refused, Some(ReceiveError::Longer { bytes: announced }) if announced == bytes - 1));
            }
        }
    }

    /// A few hundred bytes that unpack to what nobody announced are left where they go beyond it, long before their end.
    #[test]
    fn a_bomb_is_left_at_the_bound_and_not_unpacked() {
        let zeros = vec![0; 64 << 20];
        for packing in [Packing::Brotli, Packing::Bzip2] {
            let bomb = packed(&zeros, packing);
            assert!(bomb.len() < 64 << 10, "{packing:?}: {} bytes", bomb.len());
            let mut whole = Unpacking {
                inner: Inner::Bytes(unpacked(&bomb[..], packing).unwrap()),
                shelf: None,
                may_refer: None,
                hash: Sha256Hasher::default(),
                size: 0,
                limit_bytes: 1 << 20,
                failure: None,
            };
            assert!(io::copy(&mut whole, &mut io::sink()).is_err());
            assert!(matches!(whole.failure, Some(Unpack::TooLarge)));
            assert!(whole.size <= 2 << 20, "{packing:?}: {} bytes came out", whole.size);
        }
    }

    #[test]
    fn what_is_cut_damaged_or_no_nar_is_refused() {
        let nar = nar();
        for packing in PACKINGS.into_iter().filter(|packing| *packing != Packing::None) {
            let sent = packed(&nar, packing);
            for cut in [&sent[..sent.len() - 1], &sent[..sent.len() / 2], &sent[..10]] {
                let refused = taken_as(cut, Some(packing));
                assert!(matches!(refused, Err(ReceiveError::Packing(_))), "{packing:?}, {} bytes", cut.len());
            }
            for behind in [&b"more"[..], b"\0", &nar[..8]] {
                let refused = taken_as(&[&sent[..], behind].concat(), Some(packing));
                assert!(refused.is_err(), "{packing:?}, {behind:?} behind it");
            }
            let mut damaged = sent.clone();
            damaged[sent.len() / 2] ^= 0x10;
            // Brotli has no checksum, and zstd need not: what they give then is another NAR, or none.
            let read = taken_as(&damaged, Some(packing)).map(|(received, _)| received.nar_hash);
            let has_checksum = matches!(packing, Packing::Bzip2 | Packing::Gzip);
            assert!(read.map_or(true, |hash| !has_checksum && hash != Sha256::of(&nar)), "{packing:?}");
            assert!(matches!(taken_as(&packed(b"text", packing), Some(packing)), Err(ReceiveError::Nar(_))));
            assert!(matches!(taken_as(&packed(b"", packing), Some(packing)), Err(ReceiveError::Nar(_))));
        }
        let starts: [&[u8]; 3] = [b"\xfd7zXZ\0none", b"\x28\xb5\x2f\xfd", b"BZh91AY&SYnone"];
        for sent in starts {
            assert!(matches!(taken(sent), Err(ReceiveError::Packing(_))), "{sent:?}");
        }
        let longer = [&nar[..], b"more"].concat();
        for sent in [&nar[..nar.len() - 8], &longer, b"", b"text", b"BZh9text"] {
            assert!(matches!(taken(sent), Err(ReceiveError::Nar(_))), "{} bytes", sent.len());
        }
        assert!(matches!(taken_as(&nar, Some(Packing::Brotli)), Err(ReceiveError::Packing(_))));
    }
}
