//! What reaches a person: a queue on disk, and the channels that empty it.
//!
//! An [`Event`] is accepted once by the [`Queue`] and handed to every [`Channel`] until each has confirmed it. Nothing here
//! judges what is worth an alert, and nothing reads the clock, the environment or randomness.

pub mod channel;
pub mod desktop;
mod digest;
pub mod event;
pub mod hook;
pub mod line;
pub mod mail;
pub mod notification;
pub mod queue;
pub mod secret;
pub mod settings;
pub mod webhook;
pub mod wording;

pub use channel::{Channel, Message, SendError};
pub use event::{Event, EventKind};
pub use line::Line;
pub use queue::{Accepted, Attempt, Delivery, DeliveryState, Listed, Outcome, Place, Queue, QueueError, Surroundings};
pub use secret::{Secret, SecretError};
pub use settings::{Channels, Session, Settings, SetupError};
