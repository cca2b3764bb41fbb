//! Emptying the queue: what is due goes to its channel, and the answer is written down before the next is sent.

use aux_core::limits::{
    ALERT_BACKOFF_SECONDS_MAX, ALERT_BACKOFF_SECONDS_MIN, ALERT_RETRY_SECONDS_MAX, EVENTS_KEPT_MAX,
};
use aux_io::sqlite::rusqlite::{Transaction, params};
use jiff::Timestamp;

use super::{Queue, QueueError};
use crate::{Channel, Event, Message, SendError};

/// What delivering takes from the world.
pub struct Surroundings<'w> {
    /// Asked before each sending: sending takes time, and signatures are dated.
    pub now: &'w dyn Fn() -> Timestamp,
    /// Any number, for the jitter that keeps a thousand machines from coming back in the same second.
    pub random: &'w dyn Fn() -> u64,
}

/// One sending, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub channel: String,
    /// Ids of the messages that went together.
    pub ids: Vec<String>,
    pub result: Result<(), SendError>,
}

/// What a round of delivering did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub attempts: Vec<Attempt>,
    /// Another process is delivering; nothing was done here.
    pub is_busy: bool,
    /// When the next attempt is due; `None` where nothing waits for one of these channels.
    pub next_at: Option<Timestamp>,
}

impl Outcome {
    /// Messages confirmed in this round.
    pub fn delivered(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.result.is_ok()).map(|attempt| attempt.ids.len()).sum()
    }
}

/// Messages of one channel, and the numbers of their events.
struct Batch {
    numbers: Vec<i64>,
    messages: Vec<Message>,
}

impl Queue {
    /// Hands everything due to its channel. A channel that fails is left alone until its back-off is over; the others go
    /// on. Events that no channel was there for wait for the first one.
    pub fn deliver(
        &mut self,
        channels: &mut [Box<dyn Channel>],
        world: &Surroundings<'_>,
    ) -> Result<Outcome, QueueError> {
        let Some(_lock) = self.lock()? else { return Ok(Outcome { is_busy: true, ..Outcome::default() }) };
        let names: Vec<String> = channels.iter().map(|channel| channel.name().to_owned()).collect();
        self.spread(&names, (world.now)())?;
        let mut outcome = Outcome::default();
        for channel in channels {
            self.empty(channel.as_mut(), world, &mut outcome)?;
        }
        outcome.next_at = self.next_at(&names)?;
        Ok(outcome)
    }

    /// Gives every event that has none yet a delivery for each channel there is.
    fn spread(&mut self, channels: &[String], now: Timestamp) -> Result<(), QueueError> {
        if channels.is_empty() {
            return Ok(());
        }
        self.database.write(|transaction| {
            for channel in channels {
                transaction.execute(
                    "INSERT INTO delivery (event, channel, state, next_at)
                     SELECT number, ?1, 'waiting', ?2 FROM event WHERE is_spread = 0",
                    params![channel, now.as_millisecond()],
                )?;
            }
            transaction.execute("UPDATE event SET is_spread = 1 WHERE is_spread = 0", [])
        })?;
        Ok(())
    }

    fn empty(
        &mut self,
        channel: &mut dyn Channel,
        world: &Surroundings<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), QueueError> {
        let name = channel.name().to_owned();
        loop {
            let now = (world.now)();
            let mut batch = self.due(&name, channel.batch_max().clamp(1, EVENTS_KEPT_MAX), now)?;
            if batch.messages.is_empty() {
                return Ok(());
            }
            let result = channel.send(&batch.messages, now);
            if let Ok(receipts) = &result {
                // What was not confirmed stays due.
                batch.messages.truncate(receipts.len().max(1));
                batch.numbers.truncate(receipts.len().max(1));
            }
            match &result {
                Ok(receipts) => self.note_delivered(&name, &batch, receipts, (world.now)())?,
                Err(error) => self.note_failed(&name, &batch, error, world)?,
            }
            let is_passing = matches!(result, Err(SendError::Passing { .. }));
            let ids = batch.messages.into_iter().map(|message| message.id).collect();
            outcome.attempts.push(Attempt { channel: name.clone(), ids, result: result.map(drop) });
            if is_passing {
                return Ok(());
            }
        }
    }

    fn due(&mut self, channel: &str, limit: u32, now: Timestamp) -> Result<Batch, QueueError> {
        let rows = self.database.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT number, id, document, (
                     SELECT receipt FROM delivery AS earlier JOIN event AS told ON told.number = earlier.event
                     WHERE told.subject = event.subject AND told.number < event.number AND earlier.channel = ?1
                       AND earlier.receipt IS NOT NULL ORDER BY told.number DESC LIMIT 1)
                 FROM delivery JOIN event ON number = delivery.event
                 WHERE delivery.channel = ?1 AND state = 'waiting' AND next_at <= ?2 ORDER BY number LIMIT ?3",
            )?;
            let row = |row: &aux_io::sqlite::rusqlite::Row<'_>| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?))
            };
            statement.query_map(params![channel, now.as_millisecond(), limit], row)?.collect::<Result<Vec<_>, _>>()
        })?;
        let mut batch = Batch { numbers: Vec::new(), messages: Vec::new() };
        for (number, id, document, earlier) in rows {
            let event: Event = serde_json::from_str(&document).map_err(|cause| QueueError::Document {
                path: self.path().to_path_buf(),
                number,
                cause,
            })?;
            batch.numbers.push(number);
            batch.messages.push(Message { event, id, earlier });
        }
        Ok(batch)
    }

    fn note_delivered(
        &mut self,
        channel: &str,
        batch: &Batch,
        receipts: &[Option<String>],
        now: Timestamp,
    ) -> Result<(), QueueError> {
        self.database.write(|transaction| {
            for (place, number) in batch.numbers.iter().enumerate() {
                let receipt = receipts.get(place).cloned().flatten();
                transaction.execute(
                    "UPDATE delivery SET state = 'delivered', attempts = attempts + 1, settled_at = ?3, error = NULL,
                         receipt = ?4 WHERE event = ?1 AND channel = ?2",
                    params![number, channel, now.as_millisecond(), receipt],
                )?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn note_failed(
        &mut self,
        channel: &str,
        batch: &Batch,
        error: &SendError,
        world: &Surroundings<'_>,
    ) -> Result<(), QueueError> {
        let (now, random) = ((world.now)(), (world.random)());
        self.database.write(|transaction| {
            let mut soonest = i64::MAX;
            for number in &batch.numbers {
                soonest = soonest.min(postpone(transaction, (*number, channel), error, (now, random))?);
            }
            if matches!(error, SendError::Passing { .. }) {
                // The channel itself is out of order: the others that wait for it need not find out one by one.
                transaction.execute(
                    "UPDATE delivery SET next_at = ?2 WHERE channel = ?1 AND state = 'waiting' AND next_at < ?2",
                    params![channel, soonest],
                )?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn next_at(&mut self, channels: &[String]) -> Result<Option<Timestamp>, QueueError> {
        let next = self.database.read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT min(next_at) FROM delivery WHERE channel = ?1 AND state = 'waiting'")?;
            let mut next: Option<i64> = None;
            for channel in channels {
                let of_channel: Option<i64> = statement.query_row([channel], |row| row.get(0))?;
                next = [next, of_channel].into_iter().flatten().min();
            }
            Ok(next)
        })?;
        Ok(next.and_then(|next| Timestamp::from_millisecond(next).ok()))
    }
}

/// Sets the next attempt of one delivery, or gives it up where it was tried for long enough; says when the next is.
fn postpone(
    transaction: &Transaction<'_>,
    (number, channel): (i64, &str),
    error: &SendError,
    (now, random): (Timestamp, u64),
) -> Result<i64, aux_io::sqlite::rusqlite::Error> {
    let (attempts, accepted_at): (u32, i64) = transaction.query_row(
        "SELECT attempts, accepted_at FROM delivery JOIN event ON number = delivery.event
         WHERE delivery.event = ?1 AND channel = ?2",
        params![number, channel],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let now = now.as_millisecond();
    let is_over = now.saturating_sub(accepted_at) > ALERT_RETRY_SECONDS_MAX.saturating_mul(1_000);
    let wait_seconds = match error {
        SendError::Refused { .. } => ALERT_BACKOFF_SECONDS_MAX,
        SendError::Passing { retry_after_seconds, .. } => {
            let asked = retry_after_seconds.unwrap_or(0).clamp(0, ALERT_BACKOFF_SECONDS_MAX);
            backoff_seconds(attempts).max(asked)
        }
    };
    let next_at = now.saturating_add(jittered(wait_seconds.saturating_mul(1_000), random));
    transaction.execute(
        "UPDATE delivery SET state = ?3, attempts = attempts + 1, next_at = ?4, error = ?5, settled_at = ?6
         WHERE event = ?1 AND channel = ?2",
        params![
            number,
            channel,
            if is_over { "given_up" } else { "waiting" },
            next_at,
            error.to_string(),
            is_over.then_some(now),
        ],
    )?;
    Ok(next_at)
}

/// 30 s, 1 min, 2 min, … up to six hours.
fn backoff_seconds(attempts: u32) -> i64 {
    ALERT_BACKOFF_SECONDS_MIN.saturating_mul(1 << attempts.min(32)).min(ALERT_BACKOFF_SECONDS_MAX)
}

/// The wait and up to a quarter more: never earlier than asked for.
fn jittered(wait: i64, random: u64) -> i64 {
    let quarter = u64::try_from(wait / 4).unwrap_or(0);
    wait.saturating_add(i64::try_from(random % (quarter + 1)).unwrap_or(0))
}
