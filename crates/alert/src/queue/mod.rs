//! The queue on disk: accepts an event once, spreads it over the channels, and keeps it until each has confirmed.
//!
//! Whatever is accepted survives a crash or a power failure. A message whose confirmation was not yet written down when
//! the process died is sent again under the same id; one that was is never sent again.

mod deliver;
mod list;
mod place;
mod receipt;
mod schema;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use aux_core::limits::{ALERT_MEMORY_SECONDS, ALERT_SETTLED_SECONDS_MAX};
use aux_io::database::{Database, DatabaseError};
use aux_io::sqlite::rusqlite::{self, Transaction, params};
use jiff::Timestamp;

pub use deliver::{Attempt, Outcome, Surroundings};
pub use list::{Delivery, DeliveryState, Listed};
pub use place::Place;

use crate::Event;
use crate::digest::short_name;

/// Why the queue gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{}: cannot be locked: {cause}", path.display())]
    Lock { path: PathBuf, cause: io::Error },
    #[error("{}: event {number} of the alert queue cannot be read: {cause}", path.display())]
    Document { path: PathBuf, number: i64, cause: serde_json::Error },
}

/// What became of events that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Kept from now on.
    pub new: usize,
    /// Here already, by their key.
    pub known: usize,
}

/// An open queue.
#[derive(Debug)]
pub struct Queue {
    database: Database,
}

impl Queue {
    /// Opens the queue, or begins one; its folder has to exist. Several processes may have it open.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, QueueError> {
        Ok(Self { database: Database::open(path, schema::SCHEMA)? })
    }

    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// What is wrong with the file; nothing where it is sound.
    pub fn check(&mut self) -> Result<Vec<String>, QueueError> {
        Ok(self.database.check()?)
    }

    /// Keeps the events whose keys are not known, all of them or, on an error, none. When this returns they are on disk.
    pub fn accept(&mut self, events: &[Event], now: Timestamp) -> Result<Accepted, QueueError> {
        Ok(self.database.write(|transaction| insert(transaction, events, now))?)
    }

    /// Forgets what was settled long ago, so that the file does not grow for ever; says how many.
    pub fn forget_settled(&mut self, now: Timestamp) -> Result<usize, QueueError> {
        let before = now.as_millisecond().saturating_sub(ALERT_SETTLED_SECONDS_MAX.saturating_mul(1_000));
        let forgotten = self.database.write(|transaction| {
            transaction.execute(
                "DELETE FROM event WHERE is_spread = 1 AND accepted_at < ?1 AND NOT EXISTS (
                     SELECT 1 FROM delivery WHERE event = number AND (state = 'waiting' OR settled_at >= ?1))",
                [before],
            )
        })?;
        Ok(forgotten)
    }

    /// Held while messages are sent; the kernel releases it when the process ends, however it ends.
    fn lock(&self) -> Result<Option<File>, QueueError> {
        let mut path = self.path().as_os_str().to_owned();
        path.push("-sending");
        let path = PathBuf::from(path);
        let failed = |cause| QueueError::Lock { path: path.clone(), cause };
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

/// Keeps the events whose keys are not known.
fn insert(transaction: &Transaction<'_>, events: &[Event], now: Timestamp) -> Result<Accepted, rusqlite::Error> {
    // Who raises an event remembers it that long; told again later, it is another one. Who was away for a part of that
    // time may still hold the first.
    let mut outlived = transaction
        .prepare("DELETE FROM event WHERE key = ?1 AND unixepoch(json_extract(document, '$.raised')) < ?2")?;
    let mut insert = transaction.prepare(
        "INSERT INTO event (key, subject, id, document, accepted_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO NOTHING",
    )?;
    let mut accepted = Accepted::default();
    for event in events {
        let document =
            serde_json::to_string(event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        outlived.execute(params![event.key(), event.raised.as_second().saturating_sub(ALERT_MEMORY_SECONDS)])?;
        let row = params![event.key(), subject(event), id(event, now), document, now.as_millisecond()];
        if insert.execute(row)? == 0 { accepted.known += 1 } else { accepted.new += 1 }
    }
    Ok(accepted)
}

/// What notifications and threads of mail are about: the key without the kind.
fn subject(event: &Event) -> String {
    let key = event.key();
    key.rsplit_once('\u{1f}').map(|(subject, _)| subject.to_owned()).unwrap_or(key)
}

/// The same event gets the same id however often it is handed over in one go; raised again after it was forgotten, it
/// gets another, so that a receiver does not take it for a repetition.
fn id(event: &Event, now: Timestamp) -> String {
    let accepted = now.as_millisecond().to_string();
    format!("msg_{}", short_name([event.key().as_str(), accepted.as_str()]))
}
