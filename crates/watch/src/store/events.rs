//! Events that were raised: first those not handed over yet, later those somebody asks for again.

use aux_core::limits::EVENTS_KEPT_MAX;
use aux_io::sqlite::rusqlite::{self, Row, params};

use super::last::moment;
use super::{Store, StoreError};
use crate::{Event, EventKind, Subject};

/// An event and its number, which rises and is never used again.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    pub number: u64,
    pub event: Event,
}

type Stored = (i64, Subject, String, String, String, jiff::Timestamp);

const COLUMNS: &str = "number, system, advisory, package, event, covers, document, raised_at";

impl Store {
    /// Events that no queue has accepted yet, oldest first.
    pub fn waiting(&self, limit: u32) -> Result<Vec<Raised>, StoreError> {
        self.raised("handed_over = 0 AND number > ?1", 0, limit)
    }

    /// Events after a number, oldest first.
    pub fn events_after(&self, number: u64, limit: u32) -> Result<Vec<Raised>, StoreError> {
        self.raised("number > ?1", i64::try_from(number).unwrap_or(i64::MAX), limit)
    }

    /// The number of the newest event, 0 where there was none.
    pub fn last_event(&self) -> Result<u64, StoreError> {
        self.number("SELECT coalesce(max(number), 0) FROM event")
    }

    /// How many events wait to be handed over.
    pub fn waiting_count(&self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM event WHERE handed_over = 0")
    }

    fn number(&self, text: &str) -> Result<u64, StoreError> {
        let number: i64 = self.read(|transaction| transaction.query_row(text, [], |row| row.get(0)))?;
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// Marks events that a queue keeps from now on, and drops the oldest of those beyond [`EVENTS_KEPT_MAX`].
    pub fn handed_over(&mut self, numbers: &[u64]) -> Result<(), StoreError> {
        self.write(|transaction| {
            for number in numbers {
                let number = i64::try_from(*number).unwrap_or(i64::MAX);
                transaction.execute("UPDATE event SET handed_over = 1 WHERE number = ?1", [number])?;
            }
            transaction.execute(
                "DELETE FROM event WHERE handed_over = 1 AND number <= (SELECT max(number) FROM event) - ?1",
                [EVENTS_KEPT_MAX],
            )?;
            Ok(())
        })
    }

    fn raised(&self, condition: &str, after: i64, limit: u32) -> Result<Vec<Raised>, StoreError> {
        let rows = self.read(|transaction| {
            let text = format!("SELECT {COLUMNS} FROM event WHERE {condition} ORDER BY number LIMIT ?2");
            let mut statement = transaction.prepare(&text)?;
            statement.query_map(params![after, limit], stored)?.collect::<Result<Vec<Stored>, _>>()
        })?;
        rows.into_iter().map(|row| self.understood(row)).collect()
    }

    fn understood(&self, (number, subject, kind, covers, document, raised): Stored) -> Result<Raised, StoreError> {
        let finding = serde_json::from_str(&document).map_err(|cause| self.unreadable(cause))?;
        // A kind from a newer program cannot be here: its database has a newer version and is refused.
        let kind = kind.parse().unwrap_or(EventKind::New);
        let covers = covers.split(' ').filter_map(|word| word.parse().ok()).collect();
        let number = u64::try_from(number).unwrap_or_default();
        Ok(Raised { number, event: Event { subject, kind, covers, finding, raised } })
    }
}

fn stored(row: &Row<'_>) -> Result<Stored, rusqlite::Error> {
    let subject = Subject { system: row.get(1)?, advisory: row.get(2)?, package: row.get(3)? };
    Ok((row.get(0)?, subject, row.get(4)?, row.get(5)?, row.get(6)?, moment(row, 7)?))
}
