//! What is going out of the bucket: unneeded since a moment, and removed once nobody reads it any more.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Records;
use super::driver::values;
use super::error::RecordsError;

impl Records {
    /// Names in the bucket, and since when (seconds since 1970) nobody needs them.
    pub(crate) fn leaving(&self) -> Result<BTreeMap<String, i64>, RecordsError> {
        self.read(|transaction| {
            let rows = transaction
                .rows("SELECT name, since FROM leaving", &[], |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)))?;
            Ok(rows.into_iter().collect())
        })
    }

    /// Writes down what nobody needs from now on, and forgets what is needed again or gone.
    pub(crate) fn leave(&self, names: &[String], forgotten: &[String], now: Timestamp) -> Result<(), RecordsError> {
        if names.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            for name in forgotten {
                transaction.execute("DELETE FROM leaving WHERE name = ?1", values![name])?;
            }
            for name in names {
                let sql = "INSERT INTO leaving VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
                transaction.execute(sql, values![name, now.as_second()])?;
            }
            Ok(())
        })
    }
}
