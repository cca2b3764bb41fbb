//! Moving: the records of a cache go from a data folder to a database, its NARs to a bucket, and both back, while no server
//! uses any of them.
//!
//! A move that was broken off at any point is begun again with the same words. What is left stays where it is, marked or put
//! aside, and is nobody's any more only once all of it is elsewhere.

mod nars;
mod records;

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use aux_io::file::{self, FileError};
use aux_io::http::HttpOptions;

use crate::cache::ELSEWHERE;
use crate::objects::{Bucket, BucketSettings, Keep, Layout, ObjectError, Objects, Stored};
use crate::receive::{ReceiveError, Received, rehash};
use crate::records::{ObjectRow, Place, Records, RecordsError};

/// In a database that a move goes to: from where, until it is done.
pub(crate) const MOVING: &str = "moving";
/// In one that was moved: to where.
pub(crate) const MOVED: &str = "moved";

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Out of the data folder: from `cache.sqlite` to the database, from `objects` to the bucket.
    Out,
    /// Back into it.
    Back,
}

/// What is wished for. NARs go first, then the records.
pub struct Move {
    pub data: PathBuf,
    /// The database that records go to, come from, or stay in; `None` where they are in the folder and stay.
    pub place: Option<Place>,
    pub records: Option<Way>,
    /// The same of the NARs.
    pub bucket: Option<BucketSettings>,
    pub nars: Option<Way>,
    /// How NARs are kept where they go. One that chunks would not give back as it is sent now is kept whole all the same.
    pub keep: Keep,
    /// Where the stores lie of whoever substitutes from here: chunks are cut by it.
    pub store_directory: String,
    pub http: HttpOptions,
    /// 32 bytes that nobody can guess; `None` where the system has none.
    pub random: Box<dyn Fn() -> Option<[u8; 32]>>,
    /// Only what would be moved is looked at, and whether it is whole.
    pub is_dry: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveStep {
    /// So many NARs are there to be checked.
    Nars(u64),
    Checked,
    /// So many NARs are to be carried, each hashed on the way.
    Carry(u64),
    Carried,
    /// So many rows of a table are to be copied.
    Table(&'static str, u64),
    Copied(u64),
}

/// What was moved, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Rows of each table, where records were moved.
    pub tables: Vec<(&'static str, u64)>,
    /// NARs that are whole where they are now.
    pub nars: u64,
    pub stored_bytes: u64,
    pub carried: Option<Carried>,
}

/// NARs that were carried, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// `s3://…/`, or the folder.
    pub to: String,
    pub nars: u64,
    pub bytes: u64,
    /// Those that an attempt before had carried already.
    pub nars_before: u64,
    /// Where those of the folder are now, that nothing needs any more.
    pub aside: Option<PathBuf>,
}

/// Why nothing was moved, or not all. What is left is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("{}: an aux-server is using this folder; stop it first", path.display())]
    FolderInUse { path: PathBuf },
    #[error("{place}: an aux-server is using it; stop all first")]
    DatabaseInUse { place: Place },
    #[error("{from}: there are no records of a cache")]
    Nothing { from: String },
    #[error("{from}: its records were moved to {to}")]
    Gone { from: String, to: String },
    #[error("{from}: records are being moved here from {origin}, and that was broken off; end that first")]
    Unfinished { from: String, origin: String },
    #[error("{to}: there are records of another cache; name an empty database")]
    Occupied { to: String },
    #[error("{}: there is no folder `objects` with the NARs", path.display())]
    NoNars { path: PathBuf },
    #[error("{}: the records of this folder are in a database; name it with --records", path.display())]
    RecordsElsewhere { path: PathBuf },
    #[error("the NARs are in {known}; name that bucket")]
    InBucket { known: String },
    #[error("the NARs are not in {bucket}, but in {known}")]
    NotThere { bucket: String, known: String },
    #[error("{bucket}: holds the NARs of another cache; name another bucket, or another prefix in it")]
    BucketOfOthers { bucket: String },
    #[error(
        "{wrong} NARs are missing or damaged, the first is {first}; start the server that has the records now, let `aux cache \
         fsck` name all, and push them again"
    )]
    Nars { wrong: u64, first: String },
    #[error("{table}: {found} rows came of {wanted}, or others; nothing was taken from where they are")]
    Different { table: &'static str, wanted: u64, found: u64 },
    #[error("the system gives no randomness for the name of the records")]
    Random,
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("{0}")]
    Object(#[from] ObjectError),
}

/// What is moved from and to, held so that no server uses it meanwhile.
struct Held<'w> {
    wish: &'w Move,
    bucket: Option<Arc<Bucket>>,
    _lock: file::Lock,
}

/// Moves NARs, records, or both.
pub fn migrate(wish: &Move, step: &mut dyn FnMut(MoveStep)) -> Result<Moved, MoveError> {
    let data = &wish.data;
    if !["objects", "cache.sqlite", ELSEWHERE].iter().any(|name| data.join(name).exists()) {
        return Err(MoveError::NoNars { path: data.clone() });
    }
    let lock = file::lock(data.join("lock"))?.ok_or_else(|| MoveError::FolderInUse { path: data.clone() })?;
    let bucket = wish.bucket.clone().map(|settings| Bucket::open(settings, &wish.http)).transpose()?;
    let held = Held { wish, bucket: bucket.map(Arc::new), _lock: lock };
    let Some(way) = wish.nars else { return held.records(None, step) };
    let carried = held.nars(way, step)?;
    if wish.records.is_some() {
        // All were hashed just now, if none was carried before.
        let known = (carried.nars_before == 0).then_some((carried.nars, carried.bytes));
        let moved = held.records(known, step)?;
        return Ok(Moved { carried: Some(carried), ..moved });
    }
    let (nars, stored_bytes) = (carried.nars + carried.nars_before, carried.bytes);
    Ok(Moved { tables: Vec::new(), nars, stored_bytes, carried: Some(carried) })
}

impl Held<'_> {
    /// The database, as its only user.
    fn shared(&self) -> Result<Records, MoveError> {
        let Some(place) = &self.wish.place else { return Err(MoveError::Nothing { from: "no database".to_owned() }) };
        let records = Records::connect(place)?;
        let is_alone = records.serve(true)?;
        if is_alone { Ok(records) } else { Err(MoveError::DatabaseInUse { place: place.clone() }) }
    }

    fn embedded(&self) -> Result<Records, MoveError> {
        let file = self.wish.data.join("cache.sqlite");
        if !file.is_file() {
            return Err(MoveError::Nothing { from: file.display().to_string() });
        }
        Ok(Records::open(&self.wish.data)?)
    }

    /// The records as they are before the move: which, and what they are called.
    fn current(&self) -> Result<(Arc<Records>, String), MoveError> {
        let is_shared = match self.wish.records {
            None => self.wish.place.is_some(),
            Some(way) => way == Way::Back,
        };
        let file = self.wish.data.join("cache.sqlite").display().to_string();
        let shown = self.wish.place.as_ref().filter(|_| is_shared).map_or(file, ToString::to_string);
        Ok((Arc::new(if is_shared { self.shared()? } else { self.embedded()? }), shown))
    }

    /// What is there, to be read.
    fn objects(&self, records: &Arc<Records>, bucket: Option<&Arc<Bucket>>) -> Result<Objects, MoveError> {
        let data = &self.wish.data;
        // Where the stores lie matters only to what arrives.
        let (incoming, store_directory) = (data.join("incoming"), "");
        let layout = Layout { data, incoming: &incoming, store_directory, keep: Keep::Whole, is_shared: true };
        Ok(Objects::open(&layout, records, bucket)?)
    }
}

impl fmt::Debug for Move {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, place, records, bucket, nars, is_dry, .. } = self;
        formatter
            .debug_struct("Move")
            .field("data", data)
            .field("place", place)
            .field("records", records)
            .field("bucket", bucket)
            .field("nars", nars)
            .field("is_dry", is_dry)
            .finish_non_exhaustive()
    }
}

/// A NAR that is not what the records say, or that could not be looked at.
#[derive(Debug)]
enum Spoilt {
    Damaged(String),
    Failed(MoveError),
}

/// NARs that are damaged: how many, and the first.
#[derive(Debug, Default)]
struct Damage {
    wrong: u64,
    first: Option<String>,
}

impl Damage {
    /// Counts a damaged one, so that a person learns of all; what failed otherwise ends the move.
    fn count<T>(&mut self, row: &ObjectRow, looked: Result<T, Spoilt>) -> Result<Option<T>, MoveError> {
        match looked {
            Ok(value) => Ok(Some(value)),
            Err(Spoilt::Failed(error)) => Err(error),
            Err(Spoilt::Damaged(detail)) => {
                tracing::debug!("{}: {detail}", row.nar_hash);
                self.wrong += 1;
                self.first.get_or_insert_with(|| row.nar_hash.nix32());
                Ok(None)
            }
        }
    }

    fn end(self) -> Result<(), MoveError> {
        let Self { wrong, first } = self;
        first.map_or(Ok(()), |first| Err(MoveError::Nars { wrong, first }))
    }
}

/// A NAR of the store to be read.
fn opened(objects: &Objects, row: &ObjectRow) -> Result<Stored, Spoilt> {
    objects.open_object(&row.into()).map_err(|error| match error {
        ObjectError::File { cause, .. } if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            Spoilt::Damaged(cause.to_string())
        }
        error => Spoilt::Failed(error.into()),
    })
}

/// Reads and hashes a NAR of the store.
fn looked_at(objects: &Objects, row: &ObjectRow) -> Result<(), Spoilt> {
    let stored = opened(objects, row)?;
    let read = rehash(&mut stored.reader(), row.packing).map_err(|error| spoilt(row, error))?;
    held_against(&read, row)
}

fn held_against(read: &Received, row: &ObjectRow) -> Result<(), Spoilt> {
    let is_it = (read.nar_hash, read.nar_size) == (row.nar_hash, row.nar_size)
        && (read.file_hash, read.file_size) == (row.file_hash, row.file_size);
    if is_it { Ok(()) } else { Err(Spoilt::Damaged("its file is not the one that was put".to_owned())) }
}

/// Why a NAR could not be read to its end: it is damaged, or its store gave no answer.
fn spoilt(row: &ObjectRow, error: ReceiveError) -> Spoilt {
    match error {
        ReceiveError::Disk(error) => Spoilt::Failed(error.into()),
        ReceiveError::Client(cause) if !matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            let path = PathBuf::from(format!("the NAR {}", row.nar_hash));
            Spoilt::Failed(ObjectError::File { path, cause }.into())
        }
        damage => Spoilt::Damaged(damage.to_string()),
    }
}
