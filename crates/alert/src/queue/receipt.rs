//! From what a channel returned back to the events it was about, and channels that are there again.

use aux_io::sqlite::rusqlite::params;
use jiff::Timestamp;

use super::{Queue, QueueError};
use crate::Event;

impl Queue {
    /// Makes what waits for a channel due: its other side was away, and is here again.
    pub fn hurry(&mut self, channel: &str, now: Timestamp) -> Result<(), QueueError> {
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE delivery SET next_at = ?2 WHERE channel = ?1 AND state = 'waiting' AND next_at > ?2",
                params![channel, now.as_millisecond()],
            )
        })?;
        Ok(())
    }

    /// The events that were confirmed with this receipt, oldest first.
    pub fn confirmed_by(&mut self, channel: &str, receipt: &str) -> Result<Vec<Event>, QueueError> {
        let rows: Vec<(i64, String)> = self.database.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT number, document FROM delivery JOIN event ON number = delivery.event
                 WHERE channel = ?1 AND receipt = ?2 ORDER BY number",
            )?;
            statement.query_map([channel, receipt], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let read = |(number, document): (i64, String)| {
            serde_json::from_str(&document).map_err(|cause| QueueError::Document {
                path: self.path().to_path_buf(),
                number,
                cause,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// What the receipt stood for is gone: nothing later refers to it.
    pub fn forget_receipt(&mut self, channel: &str, receipt: &str) -> Result<(), QueueError> {
        self.database.write(|transaction| {
            transaction
                .execute("UPDATE delivery SET receipt = NULL WHERE channel = ?1 AND receipt = ?2", [channel, receipt])
        })?;
        Ok(())
    }
}
