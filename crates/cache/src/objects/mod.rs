//! NARs as they are kept: whole, each a file as it was sent, or in chunks that others have too.

mod bucket;
mod chunks;
mod folder;
mod piece;
mod stored;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aux_nix::Sha256;
use jiff::Timestamp;

use crate::packing::Packing;
use crate::receive::Received;
use crate::records::{ObjectRow, Records, RecordsError};
pub(crate) use bucket::Bucket;
pub use bucket::{BucketError, BucketSettings, REGION};
pub(crate) use chunks::{At, cut, frame, index, reference};
use chunks::{Chunks, Reading, Shelved, Shelving};
pub(crate) use chunks::{KnownChunk, SentChunk};
use folder::{Folder, Incoming};
use reference::Reference;
pub(crate) use stored::Stored;

/// Below the data folder: packs that several servers write.
const SEALED: &str = "sealed";

/// How NARs are kept from now on. What is there stays as it is, and is served all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Each a file, just as it was sent.
    Whole,
    /// What comes as zstd in chunks, the rest whole.
    ///
    /// Who pushed a NAR remembers how it was packed, Nix for thirty days, and asks for it so: what came as zstd can be
    /// given as any other zstd, but chunks cannot become the same xz again, nor a file without packing be resumed.
    Chunks,
}

/// All NARs of a server.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: Folder,
    /// Wherever NARs are in chunks.
    tiers: Vec<Chunks>,
    /// Which of them takes what comes as zstd; `None` where it is kept whole.
    writes: Option<usize>,
    /// Where whole NARs go instead of the folder.
    bucket: Option<Arc<Bucket>>,
}

/// A NAR as it is kept: its content, and the bytes that are sent of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    pub nar_hash: Sha256,
    pub file_hash: Sha256,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.nar_hash.nix32(), self.file_hash.nix32())
    }
}

impl ObjectName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (nar, file) = text.split_once('-')?;
        let hash = |text: &str| aux_nix::nix32::decode::<32>(text).map(Sha256);
        Some(Self { nar_hash: hash(nar)?, file_hash: hash(file)? })
    }
}

impl From<&ObjectRow> for ObjectName {
    fn from(row: &ObjectRow) -> Self {
        Self { nar_hash: row.nar_hash, file_hash: row.file_hash }
    }
}

/// Where a NAR is arriving. Dropped before it is kept, it is gone.
pub(crate) enum Arriving<'o> {
    Whole(Incoming),
    Chunks(Box<Shelving<'o>>),
}

/// Some of a NAR that arrives.
pub(crate) enum Taken<'t> {
    Bytes(&'t [u8]),
    /// What its sender packed as one frame.
    Chunk(SentChunk),
    /// What its sender knows to be here, and its content.
    Known(KnownChunk, &'t [u8]),
}

/// Something among the NARs, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Object(Sha256),
    /// In the bucket.
    Remote(ObjectName),
    /// Nobody put it there.
    Foreign(PathBuf),
}

/// A file of the store that could not be used. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("{}: no space left", path.display())]
    Full { path: PathBuf },
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("{key}: {cause}")]
    Bucket { key: String, cause: String },
    /// In a box, since it is larger than all others and seldom.
    #[error(transparent)]
    Index(Box<RecordsError>),
}

impl From<RecordsError> for ObjectError {
    fn from(error: RecordsError) -> Self {
        Self::Index(Box::new(error))
    }
}

/// How a server has its NARs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<'l> {
    /// The data folder.
    pub data: &'l Path,
    /// Where NARs arrive at this server and at no other.
    pub incoming: &'l Path,
    /// Where the stores lie of whoever substitutes from here.
    pub store_directory: &'l str,
    pub keep: Keep,
    /// Other servers may have the folder too, so that none appends to a pack of it.
    pub is_shared: bool,
}

impl Objects {
    /// Opens what is below `data`, and makes it where it is missing. The caller holds the lock of `data`, alone or with other
    /// servers as the layout says.
    pub(crate) fn open(
        layout: &Layout<'_>,
        records: &Arc<Records>,
        bucket: Option<&Arc<Bucket>>,
    ) -> Result<Self, ObjectError> {
        let Layout { data, incoming, store_directory, keep, is_shared } = *layout;
        let folder = Folder::open_at(&data.join("objects"), incoming)?;
        let mut tiers = Vec::new();
        if !is_shared {
            tiers.push(Chunks::open(data, store_directory)?);
        } else if Chunks::are_in(data) {
            tiers.push(Chunks::open_to_read(data, store_directory)?);
        }
        let sealed = data.join(SEALED);
        // A server that has the folder to itself may have had others beside it once.
        if is_shared || sealed.is_dir() {
            let place = chunks::Place::Folder(sealed);
            tiers.push(Chunks::open_sealed(Arc::clone(records), place, incoming, store_directory)?);
        }
        if let Some(bucket) = bucket {
            let place = chunks::Place::Bucket(Arc::clone(bucket));
            tiers.push(Chunks::open_sealed(Arc::clone(records), place, incoming, store_directory)?);
        }
        let writes = match keep {
            Keep::Whole => None,
            Keep::Chunks if is_shared || bucket.is_some() => tiers.len().checked_sub(1),
            Keep::Chunks => Some(0),
        };
        Ok(Self { folder, tiers, writes, bucket: bucket.map(Arc::clone) })
    }

    /// A bucket and nothing else; what goes there arrives in a folder of its own.
    pub(crate) fn only_bucket(
        layout: &Layout<'_>,
        records: &Arc<Records>,
        bucket: &Arc<Bucket>,
    ) -> Result<Self, ObjectError> {
        let folder = Folder::open_at(&layout.data.join("objects"), layout.incoming)?;
        let place = chunks::Place::Bucket(Arc::clone(bucket));
        let tier = Chunks::open_sealed(Arc::clone(records), place, layout.incoming, layout.store_directory)?;
        let writes = (layout.keep == Keep::Chunks).then_some(0);
        Ok(Self { folder, tiers: vec![tier], writes, bucket: Some(Arc::clone(bucket)) })
    }

    /// A place for a NAR that arrives packed so.
    pub(crate) fn arrive(&self, packing: Packing) -> Result<Arriving<'_>, ObjectError> {
        match self.writes.and_then(|tier| self.tiers.get(tier)).filter(|_| packing == Packing::Zstd) {
            Some(chunks) => Ok(Arriving::Chunks(Box::new(chunks.shelve()))),
            None => self.arrive_whole(),
        }
    }

    /// Which chunks need not be sent: those of NARs that `may_refer` holds of, where chunks are written at all.
    pub(crate) fn known(
        &self,
        digests: &[[u8; 32]],
        may_refer: &dyn Fn(Sha256) -> bool,
    ) -> Result<Vec<bool>, ObjectError> {
        match self.writes.and_then(|tier| self.tiers.get(tier)) {
            Some(chunks) => digests.iter().map(|digest| chunks.knows(digest, may_refer)).collect(),
            None => Ok(vec![false; digests.len()]),
        }
    }

    /// A place for a NAR that is kept as it comes.
    pub(crate) fn arrive_whole(&self) -> Result<Arriving<'_>, ObjectError> {
        self.folder.arrive().map(Arriving::Whole)
    }

    /// [`Self::keep`] where a NAR of this content may be there that is damaged or packed otherwise, which then goes.
    pub(crate) fn replace(&self, arriving: Arriving<'_>, received: &Received) -> Result<(), ObjectError> {
        if let Arriving::Chunks(_) = &arriving {
            self.remove(&Found::Object(received.nar_hash))?;
        }
        self.keep(arriving, received)
    }

    /// Makes an arrived NAR one of the store. It is on the disk, name and bytes, when this returns.
    pub(crate) fn keep(&self, arriving: Arriving<'_>, received: &Received) -> Result<(), ObjectError> {
        match (arriving, &self.bucket) {
            (Arriving::Chunks(shelving), _) => shelving.keep(received.nar_hash),
            (Arriving::Whole(incoming), None) => self.folder.keep(incoming, received.nar_hash),
            (Arriving::Whole(mut incoming), Some(bucket)) => {
                let path = incoming.path().to_path_buf();
                incoming.file.rewind().map_err(|cause| classified(&path, cause))?;
                let name = ObjectName { nar_hash: received.nar_hash, file_hash: received.kept_hash };
                bucket.put(&name, &mut incoming.file, received.kept_size)
            }
        }
    }

    /// Lets an arrived NAR go that the store has, after what is damaged of it was mended by it.
    pub(crate) fn mend(
        &self,
        arriving: Arriving<'_>,
        received: &Received,
        name: &ObjectName,
    ) -> Result<(), ObjectError> {
        match arriving {
            Arriving::Chunks(shelving) => shelving.mend(),
            // The same file in the place of one that may be damaged.
            Arriving::Whole(incoming) if self.folder.has(name.nar_hash) && name.file_hash == received.kept_hash => {
                self.folder.keep(incoming, name.nar_hash)
            }
            Arriving::Whole(_) => Ok(()),
        }
    }

    /// A NAR that was sent not long ago, which no disk has to be asked for.
    pub(crate) fn opened(&self, nar_hash: Sha256) -> Option<Stored> {
        self.tiers.iter().find_map(|chunks| chunks.opened(nar_hash)).map(Stored::Chunked)
    }

    /// A NAR to be sent: where it was sent before, its chunks need not be checked in full again.
    pub(crate) fn open_to_send(&self, name: &ObjectName) -> Result<Stored, ObjectError> {
        self.open_with(name, Chunks::open_to_send)
    }

    /// A NAR to be read and checked.
    pub(crate) fn open_object(&self, name: &ObjectName) -> Result<Stored, ObjectError> {
        self.open_with(name, |chunks, nar_hash| Ok(chunks.reading(nar_hash)?.map(Arc::new)))
    }

    fn open_with(
        &self,
        name: &ObjectName,
        open: impl Fn(&Chunks, Sha256) -> Result<Option<Arc<Reading>>, ObjectError>,
    ) -> Result<Stored, ObjectError> {
        match self.folder.open_object(name.nar_hash) {
            Err(ObjectError::File { path, cause }) if cause.kind() == io::ErrorKind::NotFound => {
                for chunks in &self.tiers {
                    if let Some(reading) = open(chunks, name.nar_hash)? {
                        return Ok(Stored::Chunked(reading));
                    }
                }
                let remote = self.bucket.as_ref().map(|bucket| bucket.find(name)).transpose()?.flatten();
                remote.map(Stored::Remote).ok_or(ObjectError::File { path, cause })
            }
            opened => {
                let file = opened?;
                let path = || self.folder.path(name.nar_hash);
                let size = file.metadata().map_err(|cause| classified(&path(), cause))?.len();
                Ok(Stored::Whole { file, size })
            }
        }
    }

    pub(crate) fn has(&self, name: &ObjectName) -> Result<bool, ObjectError> {
        if self.folder.has(name.nar_hash) {
            return Ok(true);
        }
        for chunks in &self.tiers {
            if chunks.has(name.nar_hash)? {
                return Ok(true);
            }
        }
        self.bucket.as_ref().map_or(Ok(false), |bucket| Ok(bucket.find(name)?.is_some()))
    }

    /// Removes something that was found; what is not there any more is no error. The room of chunks comes back with
    /// [`Self::sweep`].
    pub(crate) fn remove(&self, found: &Found) -> Result<(), ObjectError> {
        match found {
            Found::Object(nar_hash) => {
                self.folder.remove(*nar_hash)?;
                self.tiers.iter().try_for_each(|chunks| chunks.remove(*nar_hash))
            }
            Found::Remote(name) => self.bucket.as_ref().map_or(Ok(()), |bucket| bucket.remove(name)),
            Found::Foreign(_) => Ok(()),
        }
    }

    /// Whether any are in the folder.
    pub(crate) fn has_local(&self) -> Result<bool, ObjectError> {
        let mut is_any = false;
        self.folder.list(&mut |found| is_any |= matches!(found, Found::Object(_)))?;
        for chunks in self.tiers.iter().filter(|chunks| !chunks.is_remote()) {
            is_any = is_any || !chunks.is_empty()?;
        }
        Ok(is_any)
    }

    /// Removes packs that nobody has needed for long. Nothing may be kept meanwhile, at no server.
    pub(crate) fn settle(&self, now: Timestamp) -> Result<(), ObjectError> {
        self.tiers.iter().try_for_each(|chunks| chunks.settle(now))
    }

    /// Gives back the room of chunks that no NAR has any more.
    pub(crate) fn sweep(&self) -> Result<(), ObjectError> {
        self.tiers.iter().try_for_each(Chunks::sweep)
    }

    /// Everything that is there.
    pub(crate) fn list(&self, each: &mut dyn FnMut(Found)) -> Result<(), ObjectError> {
        self.folder.list(each)?;
        if let Some(bucket) = &self.bucket {
            bucket.list(each)?;
        }
        for chunks in &self.tiers {
            let (nars, foreign) = chunks.list()?;
            nars.into_iter().map(Found::Object).for_each(&mut *each);
            foreign.into_iter().map(Found::Foreign).for_each(&mut *each);
        }
        Ok(())
    }

    /// How many bytes NARs take that are `sent_bytes` in what is sent of them.
    pub(crate) fn taken_bytes(&self, sent_bytes: u64) -> Result<u64, ObjectError> {
        self.tiers.iter().try_fold(sent_bytes, |bytes, chunks| {
            let (chunked, packs) = chunks.bytes()?;
            Ok(bytes.saturating_sub(chunked).saturating_add(packs))
        })
    }

    /// What is wrong beside the NARs themselves.
    pub(crate) fn check(&self) -> Result<Vec<String>, ObjectError> {
        let wrong: Result<Vec<_>, ObjectError> = self.tiers.iter().map(Chunks::check).collect();
        Ok(wrong?.into_iter().flatten().collect())
    }
}

impl Arriving<'_> {
    /// Where bytes go as they were sent.
    pub(crate) fn file(&mut self) -> Option<&mut Incoming> {
        match self {
            Self::Whole(incoming) => Some(incoming),
            Self::Chunks(_) => None,
        }
    }

    /// Takes some of the NAR, unpacked.
    pub(crate) fn push(&mut self, taken: Taken<'_>) -> Result<(), ObjectError> {
        match (self, taken) {
            (Self::Whole(_), _) => Ok(()),
            (Self::Chunks(shelving), Taken::Bytes(bytes)) => shelving.push(bytes),
            (Self::Chunks(shelving), Taken::Chunk(chunk)) => shelving.push_chunk(chunk),
            (Self::Chunks(shelving), Taken::Known(chunk, content)) => shelving.push_known(chunk, content),
        }
    }

    /// A chunk that the sender refers to, if it is here and in a NAR that `may_refer` holds of.
    pub(crate) fn find(
        &mut self,
        reference: Reference,
        may_refer: &dyn Fn(Sha256) -> bool,
    ) -> Result<Option<KnownChunk>, ObjectError> {
        match self {
            Self::Whole(_) => Ok(None),
            Self::Chunks(shelving) => shelving.find(reference, may_refer),
        }
    }

    /// Takes the NAR's end. Where it is not kept as it was sent, what is sent of it from now on.
    pub(crate) fn finish(&mut self) -> Result<Option<Shelved>, ObjectError> {
        match self {
            Self::Whole(_) => Ok(None),
            Self::Chunks(shelving) => shelving.finish().map(Some),
        }
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ObjectError> {
    let read = || fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = read().map_err(|cause| classified(folder, cause))?;
    paths.sort();
    Ok(paths)
}

/// Without this a new name can be lost in a power failure although its bytes are safe.
fn sync_folder(folder: &Path) -> Result<(), ObjectError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|cause| classified(folder, cause))
}

pub(crate) fn classified(path: &Path, cause: io::Error) -> ObjectError {
    let path = path.to_path_buf();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ObjectError::Full { path },
        _ => ObjectError::File { path, cause },
    }
}
