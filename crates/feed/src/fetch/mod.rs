//! `feed fetch`: what the sources publish, downloaded where it changed and kept as it came, for `feed build` to read.
//!
//! Each source is by itself: one that fails keeps what it had and hinders no other. The state file says what is here, from
//! where, and how far an interrupted fetch came.

mod bases;
mod cve5;
mod door;
mod error;
mod files;
mod nvd_api;
mod nvd_feeds;
mod osv;
mod partial;
mod single;
mod state;
mod time;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_io::source::Source as Web;
use jiff::Timestamp;

pub use bases::{Base, Bases};
pub use error::FetchError;

use crate::sources::Source;
use door::Door;
use files::Files;
use state::State;

pub(crate) use state::is_unfinished;

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The folder of raw files and of `fetch.json`.
    pub output: PathBuf,
    pub sources: Vec<Source>,
    pub bases: Bases,
    pub nvd: NvdInterface,
    /// OSV's names of the ecosystems to keep.
    pub osv_ecosystems: Vec<String>,
    /// Take everything again, whatever is here.
    pub is_full: bool,
    pub now: Timestamp,
}

/// The two ways in which NVD publishes the same records.
#[derive(Debug, Clone)]
pub enum NvdInterface {
    /// A file a year with its checksum, and one of what changed last.
    Feeds,
    /// Pages, and pages of what changed between two moments.
    Api {
        key: Option<String>,
        /// Between two requests, as NVD asks of its users.
        pause: Duration,
    },
}

/// What a fetch needs of the world.
pub struct Outside<'a> {
    pub web: &'a Web,
    /// Waits: between requests, and where a server says when to come again.
    pub wait: &'a dyn Fn(Duration),
    pub progress: &'a dyn Fn(&Progress<'_>),
}

/// How far one download came.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub source: Source,
    /// The file, below the output folder.
    pub file: &'a str,
    pub bytes: u64,
    pub total_bytes: Option<u64>,
}

/// What came of one source.
#[derive(Debug)]
pub struct Fetched {
    pub source: Source,
    pub outcome: Result<Kept, FetchError>,
    pub requests: u64,
    /// Of bodies, as they came over the wire.
    pub received_bytes: u64,
}

/// What is here of a source now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// False where nothing new was published.
    pub is_changed: bool,
    pub files: usize,
    pub bytes: u64,
}

/// OSV's ecosystems whose packages the inventories of this program can hold.
pub const OSV_ECOSYSTEMS: &[&str] =
    &["Bitnami", "Go", "Hackage", "Hex", "Maven", "NuGet", "Packagist", "PyPI", "RubyGems", "crates.io", "npm"];

/// Fetches every source of a request, one after the other. An error is one of the folder itself, before anything is asked.
pub fn fetch(request: &FetchRequest, outside: &Outside<'_>) -> Result<Vec<Fetched>, FetchError> {
    let folder = &request.output;
    let failed = |cause| FetchError::Folder { path: folder.clone(), cause };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let _lock = lock(folder)?;
    aux_io::file::sweep(folder);
    aux_io::file::sweep(folder.join(partial::FOLDER));
    let mut state = State::read(folder)?;
    let mut fetched = Vec::new();
    for source in &request.sources {
        let door = Door::new(*source, outside);
        let outcome = one(request, *source, &door, &mut state);
        let (requests, received_bytes) = (door.requests(), door.received_bytes());
        fetched.push(Fetched { source: *source, outcome, requests, received_bytes });
    }
    Ok(fetched)
}

fn one(request: &FetchRequest, source: Source, door: &Door<'_>, state: &mut State) -> Result<Kept, FetchError> {
    let mut files = Files::new(request, source, door, state);
    let is_changed = match source {
        Source::Nvd => match &request.nvd {
            NvdInterface::Feeds => nvd_feeds::fetch(&mut files)?,
            NvdInterface::Api { key, pause } => nvd_api::fetch(&mut files, key.as_deref(), *pause)?,
        },
        Source::Osv => osv::fetch(&mut files, &request.osv_ecosystems)?,
        Source::Kev => single::fetch(&mut files, Base::Kev, "kev/known_exploited_vulnerabilities.json")?,
        Source::Pkgsrc => single::fetch(&mut files, Base::Pkgsrc, "pkgsrc/pkg-vulnerabilities")?,
        Source::Cve5 => cve5::fetch(&mut files)?,
    };
    files.complete()?;
    let (count, bytes) = files.kept();
    Ok(Kept { is_changed, files: count, bytes })
}

/// Two fetches at once would tear each other's parts.
fn lock(folder: &Path) -> Result<File, FetchError> {
    let path = folder.join(".lock");
    let failed = |cause| FetchError::Folder { path: path.clone(), cause };
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(FetchError::Locked { folder: folder.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(failed(cause)),
    }
}
