//! What a client keeps: one small file says which feed is current, and is replaced in one step. Its page:
//! `docs/formats/feed-state.md`.
//!
//! ```text
//! feed.json            which index and which metadata are current
//! feed-12-9f….auxdb    the index
//! metadata-8/          signed metadata, so that older versions are refused
//! partial/             what an interrupted download already has
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use aux_core::limits::FEED_METADATA_BYTES_MAX;
use aux_io::file::FileError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const SCHEMA: &str = "aux.sync/1";
const CURRENT_FILE: &str = "feed.json";
const LOCK_FILE: &str = ".lock";

/// A folder with a feed in it, or nothing yet.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

/// The feed that is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    pub(crate) schema: String,
    /// Where it came from, without credentials.
    pub url: String,
    pub serial: u64,
    /// The feed's own date.
    pub built: Timestamp,
    /// When the publisher last vouched for it.
    pub signed: Timestamp,
    /// Until when the newest metadata holds.
    pub expires: Timestamp,
    /// When it was last verified against the publisher.
    pub synced: Timestamp,
    pub(crate) checksum: String,
    pub(crate) index: String,
    pub(crate) metadata: String,
    /// BLAKE3 of the root metadata that a person gave.
    pub(crate) pinned_root: String,
}

/// What a state folder cannot do. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{}: is not the state of a feed: {cause}", path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("{}: has the format {found}; this program reads {SCHEMA}", path.display())]
    Version { path: PathBuf, found: String },
    #[error("{}: cannot be made: {cause}", path.display())]
    Make { path: PathBuf, cause: std::io::Error },
    #[error("{}: another process is syncing there", folder.display())]
    Locked { folder: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

impl Current {
    #[expect(clippy::too_many_arguments, reason = "every field of the record, once")]
    pub(crate) fn new(
        url: String,
        (serial, built, checksum): (u64, Timestamp, String),
        (signed, expires, synced): (Timestamp, Timestamp, Timestamp),
        index: String,
        metadata: String,
        pinned_root: String,
    ) -> Self {
        let schema = SCHEMA.to_owned();
        Self { schema, url, serial, built, signed, expires, synced, checksum, index, metadata, pinned_root }
    }
}

impl State {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The feed that is current; `None` where nothing was ever synced.
    pub fn current(&self) -> Result<Option<Current>, StateError> {
        let path = self.folder.join(CURRENT_FILE);
        let bytes = match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > FEED_METADATA_BYTES_MAX => {
                return Err(StateError::Damaged { path, cause: "it is far too large".to_owned() });
            }
            Ok(_) => fs::read(&path).map_err(|cause| StateError::Read { path: path.clone(), cause })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(StateError::Read { path, cause }),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| StateError::Damaged { path: path.clone(), cause: error.to_string() })?;
        let found = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or("no schema");
        if found != SCHEMA {
            return Err(StateError::Version { path, found: found.to_owned() });
        }
        serde_json::from_value(value).map(Some).map_err(|error| StateError::Damaged { path, cause: error.to_string() })
    }

    /// Where the current index lies.
    pub fn index_path(&self, current: &Current) -> PathBuf {
        self.folder.join(&current.index)
    }

    pub(crate) fn metadata_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.folder.join("partial")
    }

    pub(crate) fn lock(&self) -> Result<aux_io::file::Lock, StateError> {
        fs::create_dir_all(&self.folder).map_err(|cause| StateError::Make { path: self.folder.clone(), cause })?;
        let lock = aux_io::file::lock(self.folder.join(LOCK_FILE))?;
        lock.ok_or_else(|| StateError::Locked { folder: self.folder.clone() })
    }

    /// Makes a record the current one, in one step.
    pub(crate) fn commit(&self, current: &Current) -> Result<(), StateError> {
        let path = self.folder.join(CURRENT_FILE);
        let bytes = serde_json::to_vec_pretty(current)
            .map_err(|error| StateError::Damaged { path: path.clone(), cause: error.to_string() })?;
        Ok(aux_io::file::replace(&path, &bytes)?)
    }

    /// Removes what an interrupted sync or an older feed left.
    pub(crate) fn tidy(&self, current: Option<&Current>) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_current = current.is_some_and(|current| current.index == name || current.metadata == name);
            // What cannot be removed now is tried again next time, and harms nobody.
            if is_current {
            } else if name.starts_with("metadata-") {
                drop(fs::remove_dir_all(&path));
            } else if path.extension().is_some_and(|extension| extension == "auxdb" || extension == "part") {
                drop(fs::remove_file(&path));
            }
        }
    }
}
