//! What the server remembers: caches, paths, editions, decisions, tokens; every file here is about one of them.
//!
//! This is the embedded store. Its methods are whole acts, each one transaction, so that another database can stand in
//! its place. What holds between rows is written into the tables (`schema`), so that no act can break it.

mod collect;
mod decisions;
mod editions;
mod notes;
mod paths;
mod pins;
mod schema;
mod spaces;
#[cfg(test)]
mod tests;
mod tokens;
mod trail;
mod upstreams;
mod withdrawals;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aux_io::database::{Database, DatabaseError};
use aux_io::sqlite::rusqlite::{self, Transaction};
use jiff::Timestamp;

pub(crate) use collect::{Collected, Terms};
pub(crate) use decisions::{Decision, Judgement};
pub(crate) use editions::{Editing, To};
pub(crate) use paths::{Commit, CommitOutcome, ObjectRow, PathRow, Upload};
pub(crate) use pins::Pin;
pub(crate) use spaces::{NewSpace, SpaceRow};
pub(crate) use upstreams::{UpstreamRow, UpstreamTerms};
pub(crate) use withdrawals::Withdrawal;

/// Who did something and when, for the trail.
#[derive(Debug, Clone)]
pub struct Actor {
    pub by: String,
    pub now: Timestamp,
}

impl Actor {
    /// The server itself.
    pub fn server(now: Timestamp) -> Self {
        Self { by: "server".to_owned(), now }
    }
}

/// The database. One act at a time; what must be fast is answered from memory and never asks here.
#[derive(Debug)]
pub(crate) struct Records(Mutex<Database>);

impl Records {
    /// Opens `cache.sqlite` below the data folder.
    pub(crate) fn open(data: &Path) -> Result<Self, DatabaseError> {
        Database::open(data.join("cache.sqlite"), schema::SCHEMA).map(|database| Self(Mutex::new(database)))
    }

    /// What is wrong with the database's file, and rows that refer to nothing; nothing where all is well.
    pub(crate) fn check(&self) -> Result<Vec<String>, DatabaseError> {
        let mut wrong = self.database().check()?;
        wrong.extend(self.read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check")?;
            let rows = statement.query_map([], |row| {
                Ok(format!(
                    "a row of {} refers to a row of {} that is not there",
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?
                ))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        })?);
        Ok(wrong)
    }

    /// A fact the server keeps about itself.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, DatabaseError> {
        self.read(|transaction| {
            optional(transaction.query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0)))
        })
    }

    pub(crate) fn set_setting(&self, name: &str, value: &str) -> Result<(), DatabaseError> {
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    [name, value],
                )
                .map(drop)
        })
    }

    fn read<T>(&self, ask: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, DatabaseError> {
        self.database().read(ask)
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, DatabaseError> {
        self.database().write(change)
    }

    /// A panic in the middle of an act undid its transaction, so the database is as good as before.
    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No row is an answer.
fn optional<T>(found: Result<T, rusqlite::Error>) -> Result<Option<T>, rusqlite::Error> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Seconds since 1970 as a moment. What the server wrote is in range.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `SQLite` counts in signed numbers; nothing stored here is larger.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
