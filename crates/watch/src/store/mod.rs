//! The state folder's database: what is watched, the last report of each system, what was told, what is still to tell.
//!
//! A report and the events it gives are written in one transaction. Killed at any point, the next round finds either
//! both or neither, and raises the same events under the same keys.

mod events;
mod last;
mod record;
mod schema;
mod watched;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use aux_io::database::{Database, DatabaseError};
use aux_io::sqlite::rusqlite::{self, Transaction};

pub use events::Raised;
pub use last::{Attempt, LastAudit, Note};
pub use record::Audited;

/// The file's name in the state folder.
pub const FILE_NAME: &str = "watch.sqlite";

/// State that could not be read or written. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: the folder cannot be made: {cause}", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{}: a stored finding cannot be read: {cause}; move the file away to begin anew", path.display())]
    Stored { path: PathBuf, cause: serde_json::Error },
    #[error("`{name}` is watched already")]
    Twice { name: String },
    #[error("{limit} systems are watched already (WATCHED_MAX)")]
    Full { limit: usize },
}

/// The open database. Questions do not change it for whoever asks, though each needs the connection for itself.
#[derive(Debug)]
pub struct Store {
    database: RefCell<Database>,
    path: PathBuf,
}

impl Store {
    /// Opens the database of a state folder, making both where they are missing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::Folder { path: folder.to_path_buf(), cause })?;
        let path = folder.join(FILE_NAME);
        Ok(Self { database: RefCell::new(Database::open(&path, schema::SCHEMA)?), path })
    }

    /// Opens an existing database for questions only; `None` where there is none yet.
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, StoreError> {
        if folder.join(FILE_NAME).is_file() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read<T>(&self, ask: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, StoreError> {
        Ok(self.database.borrow_mut().read(ask)?)
    }

    fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        Ok(self.database.get_mut().write(change)?)
    }

    fn unreadable(&self, cause: serde_json::Error) -> StoreError {
        StoreError::Stored { path: self.path.clone(), cause }
    }
}

#[cfg(test)]
mod tests;
