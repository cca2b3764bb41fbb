//! The trail: who changed what and when, one row an act, written in the same transaction as the act.

use jiff::Timestamp;

use super::driver::{Problem, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Records, moment};
use crate::names::SpaceName;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub number: i64,
    pub at: Timestamp,
    pub by: String,
    pub act: String,
    pub cache: Option<String>,
    pub subject: Option<String>,
    pub detail: Option<String>,
}

impl Records {
    /// When the newest act was.
    pub(crate) fn last_act(&self) -> Result<Option<Timestamp>, RecordsError> {
        let sql = "SELECT at FROM trail ORDER BY number DESC LIMIT 1";
        self.read(|transaction| transaction.row(sql, &[], |row| Ok(moment(row.get(0)?))))
    }

    /// Acts after a number, oldest first.
    pub(crate) fn trail(&self, after: i64, limit: u32) -> Result<Vec<Entry>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT number, at, by, act, space, subject, detail FROM trail WHERE number > ?1 ORDER BY number LIMIT ?2";
            transaction.rows(sql, values![after, limit], |row| {
                Ok(Entry {
                    number: row.get(0)?,
                    at: moment(row.get(1)?),
                    by: row.get(2)?,
                    act: row.get(3)?,
                    cache: row.get(4)?,
                    subject: row.get(5)?,
                    detail: row.get(6)?,
                })
            })
        })
    }
}

/// Writes down an act on a cache, as part of it.
pub(super) fn write(
    transaction: &Transaction<'_>,
    actor: &Actor,
    (act, space): (&str, Option<&SpaceName>),
    (subject, detail): (Option<&str>, Option<&str>),
) -> Result<(), Problem> {
    let sql = "INSERT INTO trail (at, by, act, space, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = values![actor.now.as_second(), &actor.by, act, space.map(SpaceName::as_str), subject, detail];
    transaction.execute(sql, row).map(drop)
}
