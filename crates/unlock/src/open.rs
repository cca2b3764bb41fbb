//! Opening: the slot key by whichever slot opens first, and what would open if all were waited for.

use std::fmt;

use crate::attempt::{Attempt, Outcomes, Refusal, payload};
use crate::key::{SlotKey, SlotKeyError};
use crate::memory::MemoryError;
use crate::slot::{Lock, Slot, SlotFile, path_of};
use crate::surroundings::Surroundings;
use crate::tang;

/// Why no slot gave the key back.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the slots were made for machine `{file}`, and this is `{here}`")]
    OtherMachine { file: String, here: String },
    #[error("no slot opens")]
    NoneOpens { reports: Vec<SlotReport> },
    #[error("slot {path} gives a key that is not of {recipient}; the file was changed")]
    OtherKey { path: String, recipient: String },
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Key(#[from] SlotKeyError),
}

/// A slot that opened, and what it gave.
pub struct Opened {
    pub key: SlotKey,
    /// Which slot it was.
    pub path: String,
}

/// What came of one slot.
#[derive(Debug)]
pub struct SlotReport {
    pub path: String,
    pub kind: &'static str,
    pub outcome: Outcome,
    /// What should be seen to although the slot opens.
    pub remarks: Vec<String>,
    /// Those of a threshold.
    pub slots: Vec<Self>,
}

/// Whether a slot opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Opens,
    /// Nobody typed what it wants.
    Waits {
        what: &'static str,
    },
    /// It does not, and why.
    Refuses {
        why: String,
    },
}

/// Tries all slots at the same time and returns the key by the first that opens.
pub fn open(file: &SlotFile, surroundings: &Surroundings) -> Result<Opened, OpenError> {
    check_machine(file, surroundings)?;
    let mut attempt = Attempt::begin(file, surroundings);
    let late = loop {
        let stepped = attempt.step();
        for slot in &file.slots {
            if let Some(Ok(mut payload)) = payload(file, slot, &slot.name, &attempt.outcomes) {
                return opened(file, &slot.name, &mut payload);
            }
        }
        match stepped {
            Ok(true) => {}
            Ok(false) => break None,
            Err(late) => break Some(late),
        }
    };
    let reports = report(file, &file.slots, "", &attempt.outcomes, late.as_ref());
    Err(OpenError::NoneOpens { reports })
}

/// Tries all slots, waits for each, and says what came of it. With a slot of tang, the server is also asked whether it
/// still offers the key that the slot is bound to.
pub fn explain(file: &SlotFile, surroundings: &Surroundings) -> Result<Vec<SlotReport>, OpenError> {
    check_machine(file, surroundings)?;
    let mut attempt = Attempt::begin(file, surroundings);
    let late = loop {
        match attempt.step() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(late) => break Some(late),
        }
    };
    let mut reports = report(file, &file.slots, "", &attempt.outcomes, late.as_ref());
    remark(&file.slots, &mut reports, surroundings);
    Ok(reports)
}

/// Whether any of these opens.
pub fn opens(reports: &[SlotReport]) -> bool {
    reports.iter().any(|report| report.outcome == Outcome::Opens)
}

fn check_machine(file: &SlotFile, surroundings: &Surroundings) -> Result<(), OpenError> {
    if file.machine == surroundings.machine {
        return Ok(());
    }
    Err(OpenError::OtherMachine { file: file.machine.clone(), here: surroundings.machine.clone() })
}

fn opened(file: &SlotFile, path: &str, payload: &mut [u8]) -> Result<Opened, OpenError> {
    let key = SlotKey::take(payload)?;
    if key.recipient()? != file.recipient {
        return Err(OpenError::OtherKey { path: path.to_owned(), recipient: file.recipient.clone() });
    }
    Ok(Opened { key, path: path.to_owned() })
}

fn report(
    file: &SlotFile,
    slots: &[Slot],
    around: &str,
    outcomes: &Outcomes,
    late: Option<&Refusal>,
) -> Vec<SlotReport> {
    let one = |slot: &Slot| {
        let path = path_of(around, &slot.name);
        let inner = match &slot.lock {
            Lock::Threshold { slots, .. } => report(file, slots, &path, outcomes, late),
            _ => Vec::new(),
        };
        let outcome = match (&slot.lock, outcomes.get(&path)) {
            (Lock::Threshold { threshold, .. }, _) => {
                of_threshold(payload(file, slot, &path, outcomes), *threshold, &inner)
            }
            (_, Some(Ok(_))) => Outcome::Opens,
            (_, Some(Err(Refusal::NotGiven { what }))) => Outcome::Waits { what },
            (_, Some(Err(refusal))) => Outcome::Refuses { why: refusal.to_string() },
            (_, None) => {
                Outcome::Refuses { why: late.map_or_else(|| "it was not tried".to_owned(), ToString::to_string) }
            }
        };
        SlotReport { path, kind: slot.lock.kind(), outcome, remarks: Vec::new(), slots: inner }
    };
    slots.iter().map(one).collect()
}

fn of_threshold(
    payload: Option<Result<crate::attempt::Payload, Refusal>>,
    threshold: u8,
    inner: &[SlotReport],
) -> Outcome {
    let opened = inner.iter().filter(|report| report.outcome == Outcome::Opens).count();
    let waiting = inner.iter().find_map(|report| match report.outcome {
        Outcome::Waits { what } => Some(what),
        _ => None,
    });
    let waits = inner.iter().filter(|report| matches!(report.outcome, Outcome::Waits { .. })).count();
    match payload {
        Some(Ok(_)) => Outcome::Opens,
        Some(Err(Refusal::TooFew { .. })) | None => match waiting {
            Some(what) if opened + waits >= usize::from(threshold) => Outcome::Waits { what },
            _ => Outcome::Refuses { why: Refusal::TooFew { opened, threshold }.to_string() },
        },
        Some(Err(refusal)) => Outcome::Refuses { why: refusal.to_string() },
    }
}

/// Says which slots of tang are bound to keys that their servers have retired.
fn remark(slots: &[Slot], reports: &mut [SlotReport], surroundings: &Surroundings) {
    for (slot, report) in slots.iter().zip(reports) {
        match &slot.lock {
            Lock::Threshold { slots, .. } => remark(slots, &mut report.slots, surroundings),
            Lock::Tang(jwe) if report.outcome == Outcome::Opens => {
                report.remarks.extend(retired(jwe, surroundings));
            }
            _ => {}
        }
    }
}

fn retired(jwe: &str, surroundings: &Surroundings) -> Option<String> {
    let binding = tang::binding(jwe).ok()?;
    let advertised = tang::ask(&surroundings.http, &binding.url).ok()?;
    (!advertised.offers(&binding.thumbprint))
        .then(|| format!("{} has retired key {}; add a new slot before it is deleted", binding.url, binding.thumbprint))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opens => f.write_str("opens"),
            Self::Waits { what } => write!(f, "opens with {what}"),
            Self::Refuses { why } => write!(f, "does not open: {why}"),
        }
    }
}
