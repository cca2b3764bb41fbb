//! On which day each path was asked for last.

use jiff::Timestamp;

use super::driver::{Transaction, Value, values};
use super::error::RecordsError;
use super::{Problem, Records, moment, unsigned};

/// The setting that says since when uses are written down.
const SINCE: &str = "uses since";
/// Paths of one statement.
const ROWS_AT_ONCE: usize = 200;
const DAY_SECONDS: i64 = 86_400;

/// A day, counted from 1970.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY_SECONDS)
}

/// When a day begins.
pub(crate) fn begin(day: i64) -> i64 {
    day.saturating_mul(DAY_SECONDS)
}

impl Records {
    /// Writes down that paths were used on a day; one that is gone is passed over, and a later day stays.
    pub(crate) fn put_uses(&self, paths: &[i64], day: i64) -> Result<(), RecordsError> {
        for paths in paths.chunks(ROWS_AT_ONCE) {
            let names: Vec<String> = (2..paths.len() + 2).map(|name| format!("?{name}")).collect();
            let sql = format!(
                "INSERT INTO used SELECT number, ?1 FROM path WHERE number IN ({}) \
                 ON CONFLICT (path) DO UPDATE SET day = excluded.day WHERE used.day < excluded.day",
                names.join(", ")
            );
            let mut values = vec![Value::Integer(day)];
            values.extend(paths.iter().map(|path| Value::Integer(*path)));
            self.write(|transaction| transaction.execute(&sql, &values).map(drop))?;
        }
        Ok(())
    }

    /// When the day began on which a path was used last, as far as it is written down.
    pub(crate) fn used(&self, path: i64) -> Result<Option<Timestamp>, RecordsError> {
        let sql = "SELECT day FROM used WHERE path = ?1";
        let day = self.read(|transaction| transaction.row(sql, values![path], |row| row.get(0)))?;
        Ok(day.map(|day| moment(begin(day))))
    }

    /// How many paths were used on a day or later.
    pub(crate) fn used_since(&self, day: i64) -> Result<u64, RecordsError> {
        let sql = "SELECT count(*) FROM used WHERE day >= ?1";
        self.read(|transaction| transaction.one(sql, values![day], |row| row.get(0).map(unsigned)))
    }

    /// Begins to write uses down, if nobody did before.
    pub(crate) fn begin_uses(&self, now: Timestamp) -> Result<(), RecordsError> {
        if self.setting(SINCE)?.is_none() {
            self.set_setting(SINCE, &now.as_second().to_string())?;
        }
        Ok(())
    }

    /// Since when uses are written down.
    pub(crate) fn uses_since(&self) -> Result<Option<Timestamp>, RecordsError> {
        Ok(self.setting(SINCE)?.and_then(|since| since.parse().ok()).map(moment))
    }
}

/// Whether it can be told what was not used since a moment (seconds since 1970): uses were written down by then.
pub(super) fn are_known(transaction: &Transaction<'_>, unused_before: i64) -> Result<bool, Problem> {
    let since: Option<String> =
        transaction.row("SELECT value FROM setting WHERE name = ?1", values![SINCE], |row| row.get(0))?;
    Ok(since.and_then(|since| since.parse::<i64>().ok()).is_some_and(|since| since <= unused_before))
}
