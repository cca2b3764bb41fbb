//! The last audit of each system, as answers and metrics need it.

use aux_io::sqlite::rusqlite::{OptionalExtension, Row, params};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::Known;

/// What the last audit of a system was, without its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAudit {
    pub name: String,
    pub target: Option<String>,
    pub kind: String,
    pub fingerprint: Option<String>,
    pub audited: Timestamp,
    pub feed_fingerprint: Option<String>,
    pub feed_serial: u64,
    pub feed_built: Timestamp,
    pub advisories: u64,
    /// `pass`, `fail` or `unknown`.
    pub verdict: String,
    pub fail_on: String,
    pub components: u64,
    pub problems: Vec<Note>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub subject: String,
    pub message: String,
}

/// The last round, whether it came to an end or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    /// Why it could not judge anything; `None` where it could.
    pub failure: Option<String>,
}

const COLUMNS: &str = "name, target, kind, fingerprint, audited_at, feed_fingerprint, feed_serial, feed_built, \
                       advisories, verdict, fail_on, components, problems";

impl Store {
    /// Every system that was ever audited, by name.
    pub fn last_audits(&self) -> Result<Vec<LastAudit>, StoreError> {
        let rows = self.read(|transaction| {
            let mut statement = transaction.prepare(&format!("SELECT {COLUMNS} FROM system ORDER BY name"))?;
            statement.query_map([], last)?.collect::<Result<Vec<_>, _>>()
        })?;
        self.finished(rows)
    }

    /// The last audit of one system.
    pub fn last_audit(&self, name: &str) -> Result<Option<LastAudit>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM system WHERE name = ?1");
        let row = self.read(|transaction| transaction.query_row(&text, [name], last).optional())?;
        Ok(self.finished(row.into_iter().collect())?.pop())
    }

    fn finished(&self, rows: Vec<(LastAudit, String)>) -> Result<Vec<LastAudit>, StoreError> {
        rows.into_iter()
            .map(|(mut last, problems)| {
                last.problems = serde_json::from_str(&problems).map_err(|cause| self.unreadable(cause))?;
                Ok(last)
            })
            .collect()
    }

    /// The findings of a system's last audit, in the report's order.
    pub fn findings(&self, system: &str) -> Result<Vec<Known>, StoreError> {
        let rows = self.read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT document FROM finding WHERE system = ?1 ORDER BY position")?;
            statement.query_map([system], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
        })?;
        rows.iter().map(|row| serde_json::from_str(row).map_err(|cause| self.unreadable(cause))).collect()
    }

    /// Notes how a round ended.
    pub fn note_attempt(&mut self, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO attempt VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE SET at = ?1, failure = ?2",
                params![attempt.at.as_second(), attempt.failure],
            )
        })?;
        Ok(())
    }

    pub fn last_attempt(&self) -> Result<Option<Attempt>, StoreError> {
        self.read(|transaction| {
            transaction
                .query_row("SELECT at, failure FROM attempt", [], |row| {
                    Ok(Attempt { at: moment(row, 0)?, failure: row.get(1)? })
                })
                .optional()
        })
    }
}

fn last(row: &Row<'_>) -> Result<(LastAudit, String), aux_io::sqlite::rusqlite::Error> {
    let number = |column: usize| row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or_default());
    let last = LastAudit {
        name: row.get(0)?,
        target: row.get(1)?,
        kind: row.get(2)?,
        fingerprint: row.get(3)?,
        audited: moment(row, 4)?,
        feed_fingerprint: row.get(5)?,
        feed_serial: number(6)?,
        feed_built: moment(row, 7)?,
        advisories: number(8)?,
        verdict: row.get(9)?,
        fail_on: row.get(10)?,
        components: number(11)?,
        problems: Vec::new(),
    };
    Ok((last, row.get(12)?))
}

/// Seconds since 1970; what no clock can show is the beginning of time, and so as old as can be.
pub(super) fn moment(row: &Row<'_>, column: usize) -> Result<Timestamp, aux_io::sqlite::rusqlite::Error> {
    Ok(Timestamp::from_second(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}
