//! Whether what is known may be believed now: current, stale, or unknown. Only what is current can be clean.

use jiff::Timestamp;

use crate::Watched;
use crate::store::{Attempt, LastAudit, Store, StoreError};

/// How far an answer may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Current,
    /// Audited, but the feed or the audit is older than allowed.
    Stale,
    /// Never audited, or part of it could not be read.
    Unknown,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

/// What bounds belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belief {
    /// How old the feed and the last audit may be.
    pub max_age_seconds: u64,
    /// When the publisher last signed for the feed, where it is synced. A feed file has only its own date.
    pub feed_signed: Option<Timestamp>,
    pub now: Timestamp,
}

/// Everything that is known at a moment.
#[derive(Debug, Clone)]
pub struct State {
    pub at: Timestamp,
    pub standing: Standing,
    /// `pass` or `fail` where the standing is current, `unknown` otherwise.
    pub verdict: &'static str,
    /// Sentences that say why it is not current.
    pub reasons: Vec<String>,
    pub systems: Vec<SystemState>,
    pub last_attempt: Option<Attempt>,
    /// The number of the newest event, 0 where there was none.
    pub last_event: u64,
}

/// What is known of one watched system.
#[derive(Debug, Clone)]
pub struct SystemState {
    pub name: String,
    pub standing: Standing,
    /// `None` where it was never audited.
    pub last: Option<LastAudit>,
}

impl State {
    /// Judges what the store holds of the watched systems.
    pub fn read(store: &Store, watched: &[Watched], belief: Belief) -> Result<Self, StoreError> {
        let last_attempt = store.last_attempt()?;
        let (mut systems, mut reasons) = (Vec::new(), Vec::new());
        for watched in watched {
            let last = store.last_audit(&watched.name)?;
            let standing = standing(watched, last.as_ref(), belief, &mut reasons);
            systems.push(SystemState { name: watched.name.clone(), standing, last });
        }
        if systems.is_empty() {
            reasons.push("nothing is watched".to_owned());
        }
        if let Some(failure) = last_attempt.as_ref().and_then(|attempt| attempt.failure.as_ref()) {
            reasons.push(format!("the last round could not judge anything: {failure}"));
        }
        let worst = systems.iter().map(|system| system.standing).max().unwrap_or(Standing::Unknown);
        let failed = last_attempt.as_ref().is_some_and(|attempt| attempt.failure.is_some());
        let standing = if failed { worst.max(Standing::Stale) } else { worst };
        let fails = systems.iter().any(|system| system.last.as_ref().is_some_and(|last| last.verdict == "fail"));
        let verdict = match standing {
            Standing::Current if fails => "fail",
            Standing::Current => "pass",
            Standing::Stale | Standing::Unknown => "unknown",
        };
        Ok(Self { at: belief.now, standing, verdict, reasons, systems, last_attempt, last_event: store.last_event()? })
    }

    /// Nothing is known, and why.
    pub fn unknown(now: Timestamp, watched: &[Watched], reason: impl Into<String>) -> Self {
        let unknown =
            |watched: &Watched| SystemState { name: watched.name.clone(), standing: Standing::Unknown, last: None };
        Self {
            at: now,
            standing: Standing::Unknown,
            verdict: "unknown",
            reasons: vec![reason.into()],
            systems: watched.iter().map(unknown).collect(),
            last_attempt: None,
            last_event: 0,
        }
    }
}

fn standing(
    watched: &Watched,
    last: Option<&LastAudit>,
    Belief { max_age_seconds, feed_signed, now }: Belief,
    reasons: &mut Vec<String>,
) -> Standing {
    let name = &watched.name;
    let Some(last) = last else {
        reasons.push(format!("{name}: was never audited"));
        return Standing::Unknown;
    };
    if last.verdict == "unknown" {
        let first = last.problems.first().map(|note| format!("{}: {}", note.subject, note.message));
        reasons.push(format!("{name}: {}", first.unwrap_or_else(|| "part of it could not be judged".to_owned())));
        return Standing::Unknown;
    }
    let mut standing = Standing::Current;
    let feed = feed_signed.unwrap_or(last.feed_built);
    for (what, moment) in [("its last audit", last.audited), ("the feed it was audited against", feed)] {
        let age = now.as_second().saturating_sub(moment.as_second());
        // A moment ahead of the clock says that one of the two is wrong, so its age is not known either.
        let is_old = u64::try_from(age).is_ok_and(|age| age > max_age_seconds);
        if is_old || age < -CLOCK_DRIFT_SECONDS {
            reasons.push(format!("{name}: {what} is of {moment}, and it is {now}"));
            standing = Standing::Stale;
        }
    }
    standing
}

/// How far ahead another machine's clock may be, seconds.
const CLOCK_DRIFT_SECONDS: i64 = 86_400;
