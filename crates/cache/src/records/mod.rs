//! What the server remembers: caches, paths, editions, decisions, tokens; every file here is about one of them.
//!
//! Methods are whole acts, each one transaction, in statements that two databases understand: the embedded one of a single
//! server, and `PostgreSQL` for several. What holds between rows is written into the tables, so that no act can break it.

mod changes;
mod chunks;
mod collect;
mod copy;
mod decisions;
mod driver;
mod editions;
mod error;
mod holding;
mod leaving;
mod notes;
mod paths;
mod pins;
mod postgres;
mod schema;
mod spaces;
#[cfg(test)]
mod tests;
mod tokens;
mod trail;
mod upstreams;
pub(crate) mod uses;
mod withdrawals;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aux_io::database::{Database, DatabaseError};
use aux_io::sqlite::rusqlite;
use jiff::Timestamp;

use driver::{Problem, Transaction, values};
use postgres::{Postgres, Session};

pub(crate) use changes::Change;
pub(crate) use collect::{Collected, Terms};
pub(crate) use copy::{Contents, Table, tables};
pub(crate) use decisions::{Decision, Judgement};
pub(crate) use editions::{Editing, To};
pub(crate) use error::RecordsError;
pub(crate) use holding::Held;
pub(crate) use paths::{Commit, CommitOutcome, ObjectRow, PathRow, Upload};
pub(crate) use pins::Pin;
pub(crate) use postgres::Shared;
pub use postgres::{Place, PlaceError, password};
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

/// The database. What must be fast is answered from memory and never asks here.
#[derive(Debug)]
pub(crate) struct Records(Store);

/// Where the records are.
#[derive(Debug)]
enum Store {
    /// One server's own; one act at a time.
    Embedded(Mutex<Database>),
    /// Several servers'.
    Shared(Arc<Postgres>),
    /// The same, asked by who holds a lock there: with the connection's end the lock ends, and no act succeeds without it.
    Session { postgres: Arc<Postgres>, session: Mutex<Session> },
}

impl Records {
    /// Opens `cache.sqlite` below the data folder.
    pub(crate) fn open(data: &Path) -> Result<Self, RecordsError> {
        let database = Database::open(data.join("cache.sqlite"), schema::SCHEMA)?;
        Ok(Self(Store::Embedded(Mutex::new(database))))
    }

    /// Opens those that several servers share.
    pub(crate) fn connect(place: &Place) -> Result<Self, RecordsError> {
        Postgres::open(place).map(|postgres| Self(Store::Shared(Arc::new(postgres))))
    }

    /// What is wrong with the database, and rows that refer to nothing; nothing where all is well.
    pub(crate) fn check(&self) -> Result<Vec<String>, RecordsError> {
        let Store::Embedded(database) = &self.0 else {
            return self.read(|transaction| {
                let sql = "SELECT conname FROM pg_constraint WHERE connamespace = to_regnamespace('aux_cache') \
                           AND NOT convalidated ORDER BY conname";
                transaction.rows(sql, &[], |row| Ok(format!("the constraint {} does not hold", row.get::<String>(0)?)))
            });
        };
        let mut wrong = lock(database).check()?;
        wrong.extend(self.read(|transaction| {
            let sql = "SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check";
            transaction.rows(sql, &[], |row| {
                let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(format!("a row of {table} refers to a row of {parent} that is not there"))
            })
        })?);
        Ok(wrong)
    }

    /// A fact the servers keep about themselves.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, RecordsError> {
        self.read(|transaction| {
            transaction.row("SELECT value FROM setting WHERE name = ?1", values![name], |row| row.get(0))
        })
    }

    pub(crate) fn set_setting(&self, name: &str, value: &str) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let sql = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            transaction.execute(sql, values![name, value]).map(drop)
        })
    }

    /// The database of several servers, where it is one.
    fn shared(&self) -> Option<&Arc<Postgres>> {
        match &self.0 {
            Store::Embedded(_) => None,
            Store::Shared(postgres) | Store::Session { postgres, .. } => Some(postgres),
        }
    }

    fn read<T>(&self, ask: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>) -> Result<T, RecordsError> {
        match &self.0 {
            Store::Embedded(database) => embedded(|act| lock(database).read(act), ask),
            Store::Shared(postgres) => postgres.read(ask),
            Store::Session { postgres, session } => postgres.transact(&mut lock(session), false, ask),
        }
    }

    /// The same while others ask too. The embedded store is opened once more for it, and read as it is committed.
    fn read_beside<T>(&self, ask: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>) -> Result<T, RecordsError> {
        let Store::Embedded(database) = &self.0 else { return self.read(ask) };
        let path = lock(database).path().to_path_buf();
        let unreadable = |what: String| RecordsError::Unreadable { what };
        let connection = aux_io::sqlite::open_read_only(path).map_err(|error| unreadable(error.to_string()))?;
        let asked = connection.unchecked_transaction().map_err(Problem::from);
        let answered = asked.and_then(|transaction| ask(&Transaction::Embedded(&transaction)));
        answered.map_err(|problem| unreadable(format!("{problem:?}")))
    }

    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>) -> Result<T, RecordsError> {
        match &self.0 {
            Store::Embedded(database) => embedded(|act| lock(database).write(act), change),
            Store::Shared(postgres) => postgres.write(change),
            Store::Session { postgres, session } => postgres.transact(&mut lock(session), true, change),
        }
    }
}

/// A panic in the middle of an act undid its transaction, so the database is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs an act in the embedded store. What is no fault of the database is kept apart, and undoes the act all the same.
fn embedded<T>(
    run: impl FnOnce(&mut dyn FnMut(&rusqlite::Transaction<'_>) -> Result<T, rusqlite::Error>) -> Result<T, DatabaseError>,
    act: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
) -> Result<T, RecordsError> {
    let mut what = None;
    let mut act = Some(act);
    let done = run(&mut |transaction| {
        let act = act.take().ok_or(rusqlite::Error::InvalidQuery)?;
        act(&Transaction::Embedded(transaction)).map_err(|problem| match problem {
            Problem::Embedded(error) => error,
            other => {
                what = Some(format!("{other:?}"));
                rusqlite::Error::InvalidQuery
            }
        })
    });
    match what {
        Some(what) => Err(RecordsError::Unreadable { what }),
        None => Ok(done?),
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
