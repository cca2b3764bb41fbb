//! What other programs are told, the same over D-Bus, the socket and `aux watch --json`: documents of their own.
//!
//! Every document carries the standing and the verdict. A reader that looks at nothing else cannot take silence for health.

use aux_core::limits::EVENTS_KEPT_MAX;
use serde::Serialize;

use crate::plan::{Step, plan};
use crate::state::{State, SystemState};
use crate::store::{Raised, Store, StoreError};
use crate::{Known, Note};

/// What heads every answer.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    pub schema: &'static str,
    /// `pass`, `fail` or `unknown`.
    pub verdict: &'static str,
    /// `current`, `stale` or `unknown`.
    pub standing: &'static str,
    pub reasons: Vec<String>,
    pub at: String,
    pub last_attempt: Option<AttemptAnswer>,
    /// The number of the newest event, 0 where there was none.
    pub last_event: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct AttemptAnswer {
    pub at: String,
    pub failure: Option<String>,
}

/// `aux.status/1`: how things stand, without findings.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    #[serde(flatten)]
    pub head: Head,
    pub systems: Vec<SystemAnswer>,
}

/// `aux.findings/1`: the findings of every system.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    #[serde(flatten)]
    pub head: Head,
    pub systems: Vec<SystemFindings>,
}

/// `aux.plan/1`: what to do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    #[serde(flatten)]
    pub head: Head,
    pub steps: Vec<Step>,
}

/// `aux.events/1`: what was told.
#[derive(Debug, Clone, Serialize)]
pub struct Events {
    #[serde(flatten)]
    pub head: Head,
    pub events: Vec<EventAnswer>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SystemAnswer {
    pub name: String,
    pub target: Option<String>,
    pub standing: &'static str,
    /// `None` where it was never audited.
    pub audit: Option<AuditAnswer>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AuditAnswer {
    pub at: String,
    pub kind: String,
    pub verdict: String,
    pub fail_on: String,
    pub components: u64,
    pub feed: FeedAnswer,
    pub problems: Vec<Note>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FeedAnswer {
    pub serial: u64,
    pub built: String,
    pub advisories: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SystemFindings {
    #[serde(flatten)]
    pub system: SystemAnswer,
    pub findings: Vec<Known>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EventAnswer {
    /// Rises; ask for what comes after the last one seen.
    pub number: u64,
    pub event: &'static str,
    pub covers: Vec<&'static str>,
    pub system: String,
    pub advisory: String,
    pub package: String,
    pub raised: String,
    pub finding: Known,
}

pub fn status(state: &State) -> Status {
    Status { head: head("aux.status/1", state), systems: state.systems.iter().map(system).collect() }
}

/// Findings of every state where `all`, else alarms and what could not be told.
pub fn findings(state: &State, store: Option<&Store>, all: bool) -> Result<Findings, StoreError> {
    let mut systems = Vec::new();
    for known in &state.systems {
        let mut found = of_system(store, known)?;
        found.retain(|finding| all || finding.is_alarm() || finding.state == "unknown");
        systems.push(SystemFindings { system: system(known), findings: found });
    }
    Ok(Findings { head: head("aux.findings/1", state), systems })
}

pub fn steps(state: &State, store: Option<&Store>) -> Result<Plan, StoreError> {
    let mut steps = Vec::new();
    for known in &state.systems {
        steps.extend(plan(&known.name, &of_system(store, known)?));
    }
    Ok(Plan { head: head("aux.plan/1", state), steps })
}

/// Events after a number, at most `limit`.
pub fn events(state: &State, store: Option<&Store>, after: u64, limit: u32) -> Result<Events, StoreError> {
    let limit = limit.min(EVENTS_KEPT_MAX);
    let raised = store.map(|store| store.events_after(after, limit)).transpose()?.unwrap_or_default();
    Ok(Events { head: head("aux.events/1", state), events: raised.iter().map(event).collect() })
}

/// An event as others are told of it.
pub fn event(raised: &Raised) -> EventAnswer {
    let event = &raised.event;
    EventAnswer {
        number: raised.number,
        event: event.kind.as_str(),
        covers: event.covers.iter().map(|kind| kind.as_str()).collect(),
        system: event.subject.system.clone(),
        advisory: event.subject.advisory.clone(),
        package: event.subject.package.clone(),
        raised: event.raised.to_string(),
        finding: event.finding.clone(),
    }
}

fn of_system(store: Option<&Store>, known: &SystemState) -> Result<Vec<Known>, StoreError> {
    // A system that left the configuration has no last audit, and so no findings either.
    match store {
        Some(store) if known.last.is_some() => store.findings(&known.name),
        _ => Ok(Vec::new()),
    }
}

fn head(schema: &'static str, state: &State) -> Head {
    let attempt = state.last_attempt.as_ref();
    Head {
        schema,
        verdict: state.verdict,
        standing: state.standing.as_str(),
        reasons: state.reasons.clone(),
        at: state.at.to_string(),
        last_attempt: attempt
            .map(|attempt| AttemptAnswer { at: attempt.at.to_string(), failure: attempt.failure.clone() }),
        last_event: state.last_event,
    }
}

fn system(known: &SystemState) -> SystemAnswer {
    SystemAnswer {
        name: known.name.clone(),
        target: known.last.as_ref().and_then(|last| last.target.clone()),
        standing: known.standing.as_str(),
        audit: known.last.as_ref().map(|last| AuditAnswer {
            at: last.audited.to_string(),
            kind: last.kind.clone(),
            verdict: last.verdict.clone(),
            fail_on: last.fail_on.clone(),
            components: last.components,
            feed: FeedAnswer {
                serial: last.feed_serial,
                built: last.feed_built.to_string(),
                advisories: last.advisories,
            },
            problems: last.problems.clone(),
        }),
    }
}
