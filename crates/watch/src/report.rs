//! What a round did, as it is printed: `aux.round/1`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Event, Outcome, SystemOutcome};

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub schema: String,
    pub at: String,
    pub dry_run: bool,
    /// Why nothing could be judged.
    pub failure: Option<String>,
    pub systems: Vec<SystemReport>,
    pub events: Vec<EventReport>,
    /// What went wrong beside the judging.
    pub remarks: Vec<String>,
    /// When an alert that could not be delivered is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_delivery: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SystemReport {
    pub name: String,
    /// `None` where nothing had changed.
    pub verdict: Option<String>,
    pub components: Option<usize>,
    pub alarms: Option<usize>,
    pub problems: Option<usize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventReport {
    pub event: String,
    pub system: String,
    pub advisory: String,
    pub package: String,
    pub version: String,
}

impl Report {
    /// The report of a round that ended so.
    pub fn new(now: Timestamp, is_dry: bool, result: Result<Outcome, String>, remarks: Vec<String>) -> Self {
        let (outcome, failure) = match result {
            Ok(outcome) => (outcome, None),
            Err(failure) => (Outcome::default(), Some(failure)),
        };
        Self {
            schema: "aux.round/1".to_owned(),
            at: now.to_string(),
            dry_run: is_dry,
            failure,
            systems: outcome.systems.iter().map(system).collect(),
            events: outcome.events.iter().map(event).collect(),
            remarks,
            next_delivery: None,
        }
    }
}

fn system(outcome: &SystemOutcome) -> SystemReport {
    let judged = outcome.audited.as_ref();
    SystemReport {
        name: outcome.name.clone(),
        verdict: judged.map(|judged| judged.verdict.to_owned()),
        components: judged.map(|judged| judged.components),
        alarms: judged.map(|judged| judged.alarms),
        problems: judged.map(|judged| judged.problems),
    }
}

fn event(event: &Event) -> EventReport {
    EventReport {
        event: event.kind.as_str().to_owned(),
        system: event.subject.system.clone(),
        advisory: event.subject.advisory.clone(),
        package: event.subject.package.clone(),
        version: event.finding.package.version.clone(),
    }
}
