//! What the bus and the socket answer: read anew from the state folder each time, so that nothing old is remembered.

use aux_watch::state::State;
use aux_watch::{Store, answer};
use jiff::Timestamp;
use serde_json::Value;

use crate::settings::Settings;

/// A question that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    /// Findings: alarms and what could not be told, or all.
    Findings {
        all: bool,
    },
    Plan,
    /// Events after a number, at most so many.
    Events {
        after: u64,
        limit: u32,
    },
}

/// The document that answers. Where the state cannot be read, it says that nothing is known.
pub(crate) fn answered(settings: &Settings, question: Question) -> Value {
    let now = Timestamp::now();
    let attempt = || {
        let store = Store::open_existing(&settings.state).map_err(|error| error.to_string())?;
        let watched = settings.watched(store.as_ref())?;
        let state = match &store {
            Some(store) => State::read(store, &watched, settings.belief(now)).map_err(|error| error.to_string())?,
            None => State::unknown(now, &watched, "no round has ended yet"),
        };
        document(&state, store.as_ref(), question)
    };
    attempt().unwrap_or_else(|reason| {
        let watched = settings.watched(None).unwrap_or_default();
        document(&State::unknown(now, &watched, reason), None, question).unwrap_or(Value::Null)
    })
}

fn document(state: &State, store: Option<&Store>, question: Question) -> Result<Value, String> {
    let document = match question {
        Question::Status => serde_json::to_value(answer::status(state)),
        Question::Findings { all } => {
            serde_json::to_value(answer::findings(state, store, all).map_err(|error| error.to_string())?)
        }
        Question::Plan => serde_json::to_value(answer::steps(state, store).map_err(|error| error.to_string())?),
        Question::Events { after, limit } => {
            serde_json::to_value(answer::events(state, store, after, limit).map_err(|error| error.to_string())?)
        }
    };
    document.map_err(|error| error.to_string())
}

/// What changes with everything that a listener could want to know, and with nothing else.
pub(crate) fn revision(settings: &Settings) -> Value {
    let mut status = answered(settings, Question::Status);
    if let Some(status) = status.as_object_mut() {
        status.remove("at");
        status.remove("last_attempt");
    }
    status
}
