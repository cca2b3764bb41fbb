//! What checks decide with: facts become judgements, and the user's terms say what is allowed.

use aux_core::Fact;
use jiff::Timestamp;

/// What a check concluded, with what was seen or why nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Failed(String),
    Unknown(String),
    Passed(String),
}

/// What the user allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Substituters beside the distribution's own, as they stand in a configuration.
    pub substituters: Vec<String>,
    /// Public keys of caches beside the distribution's own: `NAME:KEY`, or `NAME` alone for whatever key bears it.
    pub public_keys: Vec<String>,
    /// Days after which a locked input is old.
    pub input_age_days: u32,
    /// The moment age is judged at.
    pub now: Timestamp,
}

/// Days after which a locked input is old, where nobody said otherwise.
const INPUT_AGE_DAYS: u32 = 30;

impl Terms {
    /// Nothing allowed beside what the distribution brings.
    pub fn new(now: Timestamp) -> Self {
        Self { substituters: Vec::new(), public_keys: Vec::new(), input_age_days: INPUT_AGE_DAYS, now }
    }
}

/// Judges what was seen; what was not stays unknown, and what was not asked for gives no judgement.
pub(super) fn judged<T>(fact: &Fact<T>, judge: impl FnOnce(&T, &str) -> Judgement) -> Option<Judgement> {
    match fact {
        Fact::NotAsked => None,
        Fact::Seen { value, how } => Some(judge(value, how)),
        Fact::Unseen { why } => Some(Judgement::Unknown(why.clone())),
    }
}

/// A switch that should be on.
pub(super) fn switched_on(fact: &Fact<bool>, on: &str, off: &str) -> Option<Judgement> {
    judged(fact, |is_on, how| {
        if *is_on { Judgement::Passed(format!("{on} ({how})")) } else { Judgement::Failed(format!("{off} ({how})")) }
    })
}

/// Things of which there should be none.
pub(super) fn none_of(fact: &Fact<Vec<String>>, none: &str, some: &str) -> Option<Judgement> {
    judged(fact, |found, how| {
        if found.is_empty() {
            Judgement::Passed(format!("{none} ({how})"))
        } else {
            Judgement::Failed(format!("{some}: {} ({how})", listed(found)))
        }
    })
}

/// How many of a list a sentence names before it counts the rest.
const NAMED_MAX: usize = 8;

/// `a, b and 3 more`.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.get(..NAMED_MAX).unwrap_or(names).join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
