//! What a channel is: a way to a person that takes messages and confirms them, or says why not.

use crate::Event;

/// An event on its way through one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub event: Event,
    /// The same at every attempt and on every channel, so that a receiver can tell a repetition.
    pub id: String,
    /// What the channel returned for the newest earlier event about the same advisory and package of the same system.
    pub earlier: Option<String>,
}

/// Why messages were not confirmed. The causes are made for a log: they hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nobody answers, or not now: worth another attempt soon.
    #[error("{cause}")]
    Passing {
        cause: String,
        /// Where the other side asked for patience.
        retry_after_seconds: Option<i64>,
    },
    /// The other side says no: another attempt only helps once a person has changed something.
    #[error("{cause}")]
    Refused { cause: String },
}

impl SendError {
    pub fn passing(cause: impl Into<String>) -> Self {
        Self::Passing { cause: cause.into(), retry_after_seconds: None }
    }

    pub fn refused(cause: impl Into<String>) -> Self {
        Self::Refused { cause: cause.into() }
    }
}

/// A way to a person.
pub trait Channel {
    /// As the configuration names it, such as `webhook.team`; the queue remembers deliveries under it.
    fn name(&self) -> &str;

    /// Messages taken at once; one mail may hold many, a webhook one.
    fn batch_max(&self) -> u32 {
        1
    }

    /// Sends at least one message, the first, and returns once the other side has confirmed: for each confirmed message, in
    /// order, what is wanted as [`Message::earlier`] later, if anything. Messages without an answer come again.
    fn send(&mut self, messages: &[Message], now: jiff::Timestamp) -> Result<Vec<Option<String>>, SendError>;
}
