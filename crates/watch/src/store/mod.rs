//! The state folder's database: what is watched, the last report of each system, what was told, what is still to tell.
//!
//! A report and the events it gives are written in one transaction. Killed at any point, the next round finds either
//! both or neither, and raises the same events under the same keys.

mod events;
mod last;
mod record;
mod schema;
mod watched;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_io::sqlite::rusqlite::{self, Connection};

pub use events::Raised;
pub use last::{Attempt, LastAudit, Note};
pub use record::Audited;

/// The file's name in the state folder.
pub const FILE_NAME: &str = "watch.sqlite";

/// How long another process that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// State that could not be read or written. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: the folder cannot be made: {cause}", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("{}: {cause}", path.display())]
    Database { path: PathBuf, cause: rusqlite::Error },
    #[error(
        "{}: it is of version {found}, and this program knows {known}; use the newer program, or move the file away",
        path.display()
    )]
    Version { path: PathBuf, found: i64, known: i64 },
    #[error("{}: a stored finding cannot be read: {cause}; move the file away to begin anew", path.display())]
    Stored { path: PathBuf, cause: serde_json::Error },
    #[error("`{name}` is watched already")]
    Twice { name: String },
    #[error("{limit} systems are watched already (WATCHED_MAX)")]
    Full { limit: usize },
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database of a state folder, making both where they are missing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::Folder { path: folder.to_path_buf(), cause })?;
        let path = folder.join(FILE_NAME);
        let failed = |cause| StoreError::Database { path: path.clone(), cause };
        let connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // An event is only told once it is on the disk: FULL is what makes a commit survive a power failure.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").map_err(failed)?;
        schema::migrate(&connection, &path)?;
        Ok(Self { connection, path })
    }

    /// Opens an existing database for questions only; `None` where there is none yet.
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, StoreError> {
        if folder.join(FILE_NAME).is_file() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, cause: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), cause }
    }

    fn unreadable(&self, cause: serde_json::Error) -> StoreError {
        StoreError::Stored { path: self.path.clone(), cause }
    }
}

#[cfg(test)]
mod tests;
