//! How far a source of numbered events was read, kept in the same step as what was read.

use aux_io::sqlite::rusqlite::{OptionalExtension as _, params};
use jiff::Timestamp;

use super::{Accepted, Queue, QueueError, insert};
use crate::Event;

/// The last event read from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the source counts.
    pub number: u64,
    /// What tells this event from another that a source which began anew gives the same number.
    pub mark: String,
}

impl Queue {
    /// Where reading goes on; `None` where nothing was read.
    pub fn place(&mut self, source: &str) -> Result<Option<Place>, QueueError> {
        let place = self.database.read(|transaction| {
            let mut statement = transaction.prepare("SELECT number, mark FROM place WHERE source = ?1")?;
            let row = statement.query_row([source], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
            row.optional()
        })?;
        Ok(place.map(|(number, mark)| Place { number: u64::try_from(number).unwrap_or_default(), mark }))
    }

    /// Keeps what was read and how far that was: both, or neither.
    pub fn accept_from(
        &mut self,
        source: &str,
        events: &[Event],
        place: &Place,
        now: Timestamp,
    ) -> Result<Accepted, QueueError> {
        let number = i64::try_from(place.number).unwrap_or(i64::MAX);
        Ok(self.database.write(|transaction| {
            let accepted = insert(transaction, events, now)?;
            transaction.execute(
                "INSERT INTO place (source, number, mark) VALUES (?1, ?2, ?3)
                 ON CONFLICT (source) DO UPDATE SET number = excluded.number, mark = excluded.mark",
                params![source, number, place.mark],
            )?;
            Ok(accepted)
        })?)
    }

    /// Of these events, those whose keys are not known; nothing is kept.
    pub fn unknown(&mut self, events: Vec<Event>) -> Result<Vec<Event>, QueueError> {
        Ok(self.database.read(|transaction| {
            let mut known = transaction.prepare("SELECT 1 FROM event WHERE key = ?1")?;
            let mut unknown = Vec::new();
            for event in events {
                if !known.exists([event.key()])? {
                    unknown.push(event);
                }
            }
            Ok(unknown)
        })?)
    }
}
