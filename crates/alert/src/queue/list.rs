//! Looking into the queue: what was delivered where, what waits, and why.

use aux_io::sqlite::rusqlite::{Row, Rows};
use jiff::Timestamp;

use super::{Queue, QueueError};
use crate::Event;

/// An event in the queue and its way to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub event: Event,
    pub accepted: Timestamp,
    /// By channel; empty where no channel was there yet.
    pub deliveries: Vec<Delivery>,
}

/// One event on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub channel: String,
    pub state: DeliveryState,
    pub attempts: u32,
    /// What the last attempt met; `None` where there was none or it succeeded.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// For its next attempt, due then.
    Waiting {
        next: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Tried for as long as `ALERT_RETRY_SECONDS_MAX` says.
    GivenUp {
        at: Timestamp,
    },
}

impl Queue {
    /// The newest events, newest first.
    pub fn list(&mut self, limit: u32) -> Result<Vec<Listed>, QueueError> {
        let path = self.path().to_path_buf();
        let rows = self.database.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT number, id, document, accepted_at, channel, state, attempts, next_at, settled_at, error
                 FROM (SELECT * FROM event ORDER BY number DESC LIMIT ?1)
                 LEFT JOIN delivery ON delivery.event = number ORDER BY number DESC, channel",
            )?;
            rows(statement.query([limit])?)
        })?;
        let mut listed: Vec<(i64, Listed)> = Vec::new();
        for (number, id, document, accepted, delivery) in rows {
            if listed.last().is_none_or(|(last, _)| *last != number) {
                let event = serde_json::from_str(&document).map_err(|cause| QueueError::Document {
                    path: path.clone(),
                    number,
                    cause,
                })?;
                listed.push((number, Listed { id, event, accepted, deliveries: Vec::new() }));
            }
            if let Some((_, last)) = listed.last_mut() {
                last.deliveries.extend(delivery);
            }
        }
        Ok(listed.into_iter().map(|(_, listed)| listed).collect())
    }
}

type Found = (i64, String, String, Timestamp, Option<Delivery>);

fn rows(mut rows: Rows<'_>) -> Result<Vec<Found>, aux_io::sqlite::rusqlite::Error> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, row.get(1)?, row.get(2)?, moment(row, 3)?.unwrap_or_default(), delivery(row)?));
    }
    Ok(found)
}

fn delivery(row: &Row<'_>) -> Result<Option<Delivery>, aux_io::sqlite::rusqlite::Error> {
    let Some(channel) = row.get(4)? else { return Ok(None) };
    let state: String = row.get(5)?;
    let state = match state.as_str() {
        "delivered" => DeliveryState::Delivered { at: moment(row, 8)?.unwrap_or_default() },
        "given_up" => DeliveryState::GivenUp { at: moment(row, 8)?.unwrap_or_default() },
        _ => DeliveryState::Waiting { next: moment(row, 7)?.unwrap_or_default() },
    };
    Ok(Some(Delivery { channel, state, attempts: row.get(6)?, error: row.get(9)? }))
}

fn moment(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, aux_io::sqlite::rusqlite::Error> {
    let milliseconds: Option<i64> = row.get(column)?;
    Ok(milliseconds.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok()))
}
