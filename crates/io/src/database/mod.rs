//! Our own databases: opened to write, brought to the newest schema, and safe against a crash at any point.
//!
//! Somebody else's database is never written to; that is [`crate::sqlite`].

mod holders;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub use holders::Holder;

use crate::sqlite::BUSY_TIMEOUT;
use holders::{holders, named};

/// What a database is and how it came to be so.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// What errors call it: `alert queue`.
    pub name: &'static str,
    /// Marks the file as ours (`PRAGMA application_id`), so that another program's database is not migrated by accident.
    pub application_id: i32,
    /// Every step from nothing to the newest schema, in order. A step that was released is never changed, only followed
    /// by another. `PRAGMA user_version` counts the steps that a file has taken.
    pub migrations: &'static [&'static str],
    pub durability: Durability,
}

/// What a power failure may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: each commit waits for the disk (`synchronous = FULL`).
    EveryCommit,
    /// The last commits, for what can be computed again (`synchronous = NORMAL`). The file stays whole.
    Recomputable,
}

/// Why a database gives no answer. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{}: the {name} cannot be opened: {cause}", path.display())]
    Create { path: PathBuf, name: &'static str, cause: io::Error },
    #[error(
        "{}: the {name} was written by a newer aux (schema {found}, this one knows up to {known}); update aux, or move \
         the file away to begin anew",
        path.display()
    )]
    Newer { path: PathBuf, name: &'static str, found: i64, known: usize },
    #[error("{}: is a database of something else, not the {name}; move it away or name another file", path.display())]
    Foreign { path: PathBuf, name: &'static str },
    #[error(
        "{}: the {name} is in use by {}, and was not free within {} s",
        path.display(), named(holders), BUSY_TIMEOUT.as_secs()
    )]
    Busy { path: PathBuf, name: &'static str, holders: Vec<Holder> },
    #[error(
        "{}: the {name} is damaged ({cause}); move it away to begin anew, and keep it if what it holds matters",
        path.display()
    )]
    Damaged { path: PathBuf, name: &'static str, cause: String },
    #[error("{}: the {name} may not be written by this user: {cause}", path.display())]
    ReadOnly { path: PathBuf, name: &'static str, cause: rusqlite::Error },
    #[error("{}: no space left for the {name}", path.display())]
    Full { path: PathBuf, name: &'static str },
    #[error("{}: the {name} could not be brought from schema {from} to {to}, and is as it was: {cause}", path.display())]
    Migration { path: PathBuf, name: &'static str, from: usize, to: usize, cause: rusqlite::Error },
    #[error("{}: the {name} gives no answer: {cause}", path.display())]
    Query { path: PathBuf, name: &'static str, cause: rusqlite::Error },
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    schema: Schema,
}

impl Database {
    /// Opens the file, makes it where there is none (readable by its owner only), and brings it to the newest schema.
    ///
    /// The folder has to exist. A file that is newer, foreign or damaged is refused and left untouched.
    pub fn open(path: impl AsRef<Path>, schema: Schema) -> Result<Self, DatabaseError> {
        let path = path.as_ref().to_path_buf();
        create_private(&path).map_err(|cause| DatabaseError::Create {
            path: path.clone(),
            name: schema.name,
            cause,
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|cause| classified(&path, schema.name, cause))?;
        let mut database = Self { connection, path, schema };
        database.recognise()?;
        database.configure()?;
        database.migrate()?;
        Ok(database)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads one consistent state, however many questions are asked.
    pub fn read<T>(
        &mut self,
        ask: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, DatabaseError> {
        self.transact(TransactionBehavior::Deferred, ask)
    }

    /// Changes everything that `change` changes, or nothing: an error or a crash undoes it all.
    ///
    /// The right to write is taken at the beginning, so that two writers wait for each other and never fail half-way.
    pub fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, DatabaseError> {
        self.transact(TransactionBehavior::Immediate, change)
    }

    /// Reads the whole file and says what is wrong with it, at most some lines; nothing where it is sound.
    pub fn check(&mut self) -> Result<Vec<String>, DatabaseError> {
        const PROBLEMS_MAX: u32 = 20;
        self.read(|transaction| {
            let mut statement = transaction.prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
            let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        })
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, DatabaseError> {
        let done = self.connection.transaction_with_behavior(behavior).and_then(|transaction| {
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        done.map_err(|cause| self.error(cause))
    }

    fn error(&self, cause: rusqlite::Error) -> DatabaseError {
        classified(&self.path, self.schema.name, cause)
    }

    /// Nothing is changed before the file is known to be ours and no newer than we are.
    fn recognise(&mut self) -> Result<(), DatabaseError> {
        self.connection.busy_timeout(BUSY_TIMEOUT).map_err(|cause| self.error(cause))?;
        // One state: while this looks, another process may be making the very file.
        let (id, found, tables) = self.read(|transaction| {
            let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let tables = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
            Ok((pragma("application_id")?, pragma("user_version")?, tables))
        })?;
        let (path, name, known) = (self.path.clone(), self.schema.name, self.schema.migrations.len());
        if id != i64::from(self.schema.application_id) && (id != 0 || tables > 0) {
            return Err(DatabaseError::Foreign { path, name });
        }
        if usize::try_from(found).is_ok_and(|found| found <= known) {
            return Ok(());
        }
        Err(DatabaseError::Newer { path, name, found, known })
    }

    /// Write-ahead mode lets readers read while somebody writes; see <https://sqlite.org/wal.html>.
    fn configure(&self) -> Result<(), DatabaseError> {
        let synchronous = match self.schema.durability {
            Durability::EveryCommit => "FULL",
            Durability::Recomputable => "NORMAL",
        };
        self.connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; \
                 PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
            ))
            .map_err(|cause| self.error(cause))
    }

    /// All missing steps are one transaction: an error or a crash between two leaves the file as it was.
    fn migrate(&mut self) -> Result<(), DatabaseError> {
        let Self { connection, path, schema: Schema { name, application_id, migrations, .. } } = self;
        let (name, known) = (*name, migrations.len());
        let failed = |cause| classified(path, name, cause);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        // Another process may have migrated since `recognise` looked, so the count is read under the lock.
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let from = usize::try_from(found).unwrap_or(usize::MAX);
        let Some(missing) = migrations.get(from..) else {
            return Err(DatabaseError::Newer { path: path.clone(), name, found, known });
        };
        if missing.is_empty() {
            return Ok(());
        }
        for step in missing {
            // Dropping the transaction takes back what the earlier steps did.
            transaction.execute_batch(step).map_err(|cause| match failed(cause) {
                DatabaseError::Query { path, name, cause } => {
                    DatabaseError::Migration { path, name, from, to: known, cause }
                }
                other => other,
            })?;
        }
        transaction.pragma_update(None, "application_id", *application_id).map_err(failed)?;
        transaction.pragma_update(None, "user_version", i64::try_from(known).unwrap_or(i64::MAX)).map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

/// An empty file is a new database to `SQLite`, and the files it puts beside it take over these permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.is_file() {
                Ok(())
            } else {
                Err(io::Error::other("it is not a regular file"))
            }
        }
        Err(error) => Err(error),
    }
}

/// What `SQLite` says, in terms of what a person can do about it.
fn classified(path: &Path, name: &'static str, cause: rusqlite::Error) -> DatabaseError {
    let path = path.to_path_buf();
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let holders = holders(&path);
            DatabaseError::Busy { path, name, holders }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            DatabaseError::Damaged { path, name, cause: cause.to_string() }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            DatabaseError::ReadOnly { path, name, cause }
        }
        Some(ErrorCode::DiskFull) => DatabaseError::Full { path, name },
        _ => DatabaseError::Query { path, name, cause },
    }
}
