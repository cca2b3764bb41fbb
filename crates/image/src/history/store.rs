//! The database of a history, and of what was told; docs/formats/image-history.md explains its tables.

use std::path::Path;

use aux_core::Severity;
use aux_core::limits::IMAGE_OBSERVATIONS_MAX;
use aux_io::database::{Database, DatabaseError, Durability, Schema};
use aux_io::file::{self, FileError};
use aux_io::sqlite::rusqlite::{self, OptionalExtension as _, Transaction, params};
use jiff::Timestamp;

use super::{Counts, Images, Observation, SEVERITIES};
use crate::audit::Fixability;

/// The file's name in the state folder.
pub const FILE_NAME: &str = "history.sqlite";
/// `auxi`: the mark in the file.
const APPLICATION_ID: i32 = 0x6175_7869;

const SCHEMA: Schema = Schema {
    name: "history of images",
    application_id: APPLICATION_ID,
    migrations: &[FIRST],
    durability: Durability::EveryCommit,
};

const FIRST: &str = "
    CREATE TABLE observation (
        number        INTEGER PRIMARY KEY,
        image         TEXT NOT NULL,
        day           TEXT NOT NULL,
        at            INTEGER NOT NULL,
        list_revision TEXT,
        feed_serial   INTEGER,
        packages      INTEGER,
        unknown       TEXT,
        UNIQUE (image, day)
    ) STRICT;
    CREATE TABLE finding_count (
        observation INTEGER NOT NULL REFERENCES observation (number) ON DELETE CASCADE,
        fix         TEXT NOT NULL CHECK (fix IN ('now', 'rebase', 'none')),
        severity    TEXT NOT NULL,
        count       INTEGER NOT NULL CHECK (count > 0),
        PRIMARY KEY (observation, fix, severity)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE told (
        image      TEXT NOT NULL,
        generation TEXT NOT NULL,
        subject    TEXT NOT NULL,
        at         INTEGER NOT NULL,
        PRIMARY KEY (image, generation, subject)
    ) STRICT, WITHOUT ROWID;
";

/// Why a history gives no answer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Folder(#[from] FileError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// An open history.
#[derive(Debug)]
pub struct History {
    database: Database,
}

impl History {
    /// Opens the history of a state folder, making both where they are missing.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        file::create_private_folder(folder)?;
        Ok(Self { database: Database::open(folder.join(FILE_NAME), SCHEMA)? })
    }

    /// Opens one that is there; `None` where nothing was observed.
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, HistoryError> {
        if folder.join(FILE_NAME).is_file() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    /// Keeps an observation: the newest of its day. The oldest of an image go where there are too many.
    pub fn note(&mut self, image: &str, observation: &Observation) -> Result<(), HistoryError> {
        Ok(self.database.write(|transaction| insert(transaction, image, observation))?)
    }

    /// Everything observed since a moment, of one image or of all.
    pub fn images(&mut self, image: Option<&str>, since: Option<Timestamp>) -> Result<Images, HistoryError> {
        let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
        Ok(self.database.read(|transaction| {
            let mut images = Images::new();
            let mut statement = transaction.prepare(
                "SELECT number, image, at, list_revision, feed_serial, packages, unknown FROM observation
                 WHERE (?1 IS NULL OR image = ?1) AND at >= ?2 ORDER BY image, at",
            )?;
            let mut rows = statement.query(params![image, since])?;
            while let Some(row) = rows.next()? {
                let unknown: Option<String> = row.get(6)?;
                let at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
                let observation = Observation {
                    at,
                    list_revision: row.get(3)?,
                    feed_serial: row.get::<_, Option<i64>>(4)?.and_then(|serial| serial.try_into().ok()),
                    packages: row.get::<_, Option<i64>>(5)?.and_then(|packages| packages.try_into().ok()),
                    counts: match unknown {
                        Some(reason) => Err(reason),
                        None => Ok(counts(transaction, row.get(0)?)?),
                    },
                };
                images.entry(row.get(1)?).or_default().push(observation);
            }
            Ok(images)
        })?)
    }

    /// Of these subjects, those that nobody was told of for this generation of an image.
    pub fn untold(&mut self, image: &str, generation: &str, subjects: &[String]) -> Result<Vec<String>, HistoryError> {
        Ok(self.database.read(|transaction| {
            let mut told =
                transaction.prepare("SELECT 1 FROM told WHERE image = ?1 AND generation = ?2 AND subject = ?3")?;
            let mut untold = Vec::new();
            for subject in subjects {
                if !told.exists(params![image, generation, subject])? {
                    untold.push(subject.clone());
                }
            }
            Ok(untold)
        })?)
    }

    /// Remembers that somebody was told. What was told of earlier generations of the image is forgotten.
    pub fn note_told(
        &mut self,
        (image, generation): (&str, &str),
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        Ok(self.database.write(|transaction| {
            transaction.execute("DELETE FROM told WHERE image = ?1 AND generation != ?2", [image, generation])?;
            let mut insert = transaction.prepare(
                "INSERT INTO told (image, generation, subject, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?;
            for subject in subjects {
                insert.execute(params![image, generation, subject, now.as_millisecond()])?;
            }
            Ok(())
        })?)
    }
}

fn insert(transaction: &Transaction<'_>, image: &str, observation: &Observation) -> Result<(), rusqlite::Error> {
    let Observation { at, list_revision, feed_serial, packages, counts } = observation;
    let day = super::day(*at);
    let known: Option<i64> = transaction
        .query_row("SELECT at FROM observation WHERE image = ?1 AND day = ?2", [image, &day], |row| row.get(0))
        .optional()?;
    if known.is_some_and(|known| known > at.as_millisecond()) {
        return Ok(());
    }
    transaction.execute("DELETE FROM observation WHERE image = ?1 AND day = ?2", [image, &day])?;
    let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
    transaction.execute(
        "INSERT INTO observation (image, day, at, list_revision, feed_serial, packages, unknown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            image,
            day,
            at.as_millisecond(),
            list_revision,
            number(*feed_serial),
            number(*packages),
            counts.as_ref().err()
        ],
    )?;
    let observed = transaction.last_insert_rowid();
    let mut statement =
        transaction.prepare("INSERT INTO finding_count (observation, fix, severity, count) VALUES (?1, ?2, ?3, ?4)")?;
    for (fix, severity, count) in counts.iter().flat_map(Counts::iter).filter(|(_, _, count)| *count > 0) {
        statement.execute(params![observed, fix.as_str(), severity.as_str(), number(Some(count))])?;
    }
    transaction.execute(
        "DELETE FROM observation WHERE image = ?1 AND number NOT IN (
             SELECT number FROM observation WHERE image = ?1 ORDER BY at DESC LIMIT ?2)",
        params![image, IMAGE_OBSERVATIONS_MAX],
    )?;
    Ok(())
}

fn counts(transaction: &Transaction<'_>, observation: i64) -> Result<Counts, rusqlite::Error> {
    let mut counts = Counts::default();
    let mut statement = transaction.prepare("SELECT fix, severity, count FROM finding_count WHERE observation = ?1")?;
    let mut rows = statement.query([observation])?;
    while let Some(row) = rows.next()? {
        let (fix, severity, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let fix = Fixability::ALL.into_iter().find(|one| one.as_str() == fix).unwrap_or(Fixability::None);
        // A word that a later version wrote is not known here.
        let severity = SEVERITIES.into_iter().find(|one| one.as_str() == severity).unwrap_or(Severity::Unknown);
        counts.add(fix, severity, u64::try_from(count).unwrap_or_default());
    }
    Ok(counts)
}
