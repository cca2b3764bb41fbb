//! What the agent raised and this user was not shown: read page by page into the user's own queue.

use aux_alert::{Event, Place, Queue};
use jiff::Timestamp;

use crate::agent::{Agent, AgentError, Page};
use crate::alarm::alarm;
use crate::answer::Numbered;

/// What the queue calls the agent.
const SOURCE: &str = "auxd";

/// Why there is no news.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewsError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Queue(#[from] aux_alert::QueueError),
}

/// Brings everything that is new into the queue. Killed at any point, the next call goes on where this one was.
///
/// What was raised before a user was ever told anything is told as far as it still stands: a history is no news.
pub(crate) fn fetch(agent: &Agent, queue: &mut Queue, mut warn: impl FnMut(String)) -> Result<(), NewsError> {
    let mut place = queue.place(SOURCE)?;
    let is_first = place.is_none();
    loop {
        let Some((events, is_last)) = after(agent, &mut place, &mut warn)? else { return Ok(()) };
        if let Some(place) = &place {
            let events = told(agent, &events, is_first)?;
            queue.accept_from(SOURCE, &events, place, Timestamp::now())?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// What `fetch` would bring, without keeping it. The queue may not be there yet.
pub(crate) fn look(
    agent: &Agent,
    queue: Option<&mut Queue>,
    mut warn: impl FnMut(String),
) -> Result<Vec<Event>, NewsError> {
    let mut found = Vec::new();
    let (mut place, queue) = match queue {
        Some(queue) => (queue.place(SOURCE)?, Some(queue)),
        None => (None, None),
    };
    let is_first = place.is_none();
    while let Some((events, is_last)) = after(agent, &mut place, &mut warn)? {
        found.extend(told(agent, &events, is_first)?);
        if is_last {
            break;
        }
    }
    Ok(match queue {
        Some(queue) => queue.unknown(found)?,
        None => found,
    })
}

/// Events as people are told of them; for who is told for the first time, those that stand.
///
/// What stands is asked for after the events: what is raised in between is not missed.
fn told(agent: &Agent, events: &[Numbered], is_first: bool) -> Result<Vec<Event>, AgentError> {
    let standing = if is_first { agent.standing()? } else { None };
    let stands = |event: &Event| {
        let subject = [event.system.clone(), event.advisory.clone(), event.package.clone()];
        standing.as_ref().is_none_or(|standing| standing.contains(&subject))
    };
    Ok(events.iter().map(|numbered| alarm(&numbered.event)).filter(stands).collect())
}

/// The next events after a place, which moves on to the last of them; `None` where nothing is new.
///
/// The event at the place is asked for as well: where the agent has another one there, its state was begun anew, and
/// its numbers too. Then everything is read again, and the queue knows what was shown.
fn after(
    agent: &Agent,
    place: &mut Option<Place>,
    warn: &mut impl FnMut(String),
) -> Result<Option<(Vec<Numbered>, bool)>, AgentError> {
    let before = place.as_ref().map_or(0, |place| place.number.saturating_sub(1));
    let Page { last_event, mut events, is_last, unreadable } = agent.events_after(before)?;
    if let Some((count, reason)) = unreadable {
        warn(format!("{count} events of the agent cannot be read, perhaps because it is newer than this: {reason}"));
    }
    if let Some(own) = place {
        let is_there = events.first().is_some_and(|first| first.number == own.number && mark(first) == own.mark);
        if is_there {
            events.remove(0);
        } else if last_event == 0 {
            // Nothing is known there now: the state cannot be read, or nothing was raised since it was begun anew.
            return Ok(None);
        } else {
            *place = None;
            return after(agent, place, warn);
        }
    }
    let Some(last) = events.last() else { return Ok(None) };
    *place = Some(Place { number: last.number, mark: mark(last) });
    Ok(Some((events, is_last)))
}

/// What no two events share, whatever their numbers.
fn mark(numbered: &Numbered) -> String {
    let event = alarm(&numbered.event);
    format!("{} {}", event.raised, event.key())
}
