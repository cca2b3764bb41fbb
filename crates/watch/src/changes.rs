//! What is new between what was known of a system and its newest report.
//!
//! A finding is told of once it is at or above the gate. Telling covers everything that is true at that moment, so that
//! one finding with a fix is one event; a fix or the team's *critical* that comes later is an event of its own.

use std::collections::{BTreeMap, BTreeSet};

use aux_audit::{Gate, TargetReport};
use aux_core::limits::ALERT_MEMORY_SECONDS;
use aux_core::{Class, Finding, State};
use jiff::Timestamp;

use crate::{Event, EventKind, Known, Subject};

/// What is remembered of one system: by advisory and package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    pub subjects: BTreeMap<(String, String), Remembered>,
}

/// What is remembered of one advisory on one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// As it was last seen, told of or not.
    pub was_fixable: bool,
    pub was_critical: bool,
    /// When a report last held it, or last could not say.
    pub last_seen: Timestamp,
    pub told: BTreeSet<EventKind>,
}

/// One advisory on one package, all versions of the system together.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that is true or not, whatever the others are")]
struct Present<'f> {
    /// The worst row: an alarm at or above the gate where there is one.
    finding: &'f Finding,
    is_alarm: bool,
    is_at_gate: bool,
    is_fixable: bool,
    is_critical: bool,
}

/// Compares a report with the memory of its system, which it brings up to date, and says what there is to tell.
pub fn changes(memory: &mut Memory, system: &str, report: &TargetReport, gate: &Gate, now: Timestamp) -> Vec<Event> {
    let present = present(report, gate);
    let mut events = Vec::new();
    for ((advisory, package), seen) in &present {
        let key = (advisory.to_string(), package.to_string());
        take_over_alias(memory, &key, seen.finding);
        let before = memory.subjects.get(&key);
        if !seen.is_alarm {
            // Waived, unreviewed or unknown: no news, and no proof that it is gone.
            if let Some(remembered) = memory.subjects.get_mut(&key) {
                remembered.last_seen = now;
            }
            continue;
        }
        let told = before.map(|before| before.told.clone()).unwrap_or_default();
        let due = due(seen, &told);
        for (kind, covers) in named(&due, seen, before) {
            let subject = Subject { system: system.to_owned(), advisory: key.0.clone(), package: key.1.clone() };
            events.push(Event { subject, kind, covers, finding: Known::of(seen.finding), raised: now });
        }
        let remembered = memory.subjects.entry(key).or_insert_with(|| Remembered::blank(now));
        remembered.was_fixable = seen.is_fixable;
        remembered.was_critical = seen.is_critical;
        remembered.last_seen = now;
        remembered.told.extend(due);
    }
    age(memory, report, &present, now);
    events
}

impl Remembered {
    fn blank(now: Timestamp) -> Self {
        Self { was_fixable: false, was_critical: false, last_seen: now, told: BTreeSet::new() }
    }
}

/// What a report holds that is not settled, by advisory and package.
fn present<'f>(report: &'f TargetReport, gate: &Gate) -> BTreeMap<(&'f str, &'f str), Present<'f>> {
    let mut present: BTreeMap<(&str, &str), Present<'_>> = BTreeMap::new();
    for finding in &report.findings {
        if matches!(finding.state, State::NotAffected | State::FixedByPatch) {
            continue;
        }
        let is_alarm = finding.is_alarm();
        let seen = Present {
            finding,
            is_alarm,
            is_at_gate: is_alarm && gate.fails(finding),
            is_fixable: is_alarm && finding.is_fixable(),
            is_critical: is_alarm && finding.class == Class::Critical,
        };
        let key = (finding.id.as_str(), finding.package.name.as_str());
        match present.get_mut(&key) {
            Some(other) => other.unite(seen),
            None => drop(present.insert(key, seen)),
        }
    }
    present
}

impl Present<'_> {
    fn unite(&mut self, other: Self) {
        let rank = |seen: &Present<'_>| (seen.is_at_gate, seen.is_critical, seen.is_fixable, seen.is_alarm);
        if rank(&other) > rank(self) {
            self.finding = other.finding;
        }
        self.is_alarm |= other.is_alarm;
        self.is_at_gate |= other.is_at_gate;
        self.is_fixable |= other.is_fixable;
        self.is_critical |= other.is_critical;
    }
}

/// What is true of an alarm and was not told.
fn due(seen: &Present<'_>, told: &BTreeSet<EventKind>) -> BTreeSet<EventKind> {
    // Once told of, a finding stays told of, also where the gate was raised since.
    if !seen.is_at_gate && told.is_empty() {
        return BTreeSet::new();
    }
    let mut due = BTreeSet::from([EventKind::New]);
    if seen.is_fixable {
        due.insert(EventKind::FixAvailable);
    }
    if seen.is_critical {
        due.insert(EventKind::NowCritical);
    }
    due.retain(|kind| !told.contains(kind));
    due
}

/// The events that tell what is due, each with what it covers.
///
/// A finding that was below the gate until now is named by what lifted it.
fn named(
    due: &BTreeSet<EventKind>,
    seen: &Present<'_>,
    before: Option<&Remembered>,
) -> Vec<(EventKind, Vec<EventKind>)> {
    if !due.contains(&EventKind::New) {
        return due.iter().map(|kind| (*kind, vec![*kind])).collect();
    }
    let kind = match before {
        Some(before) if seen.is_critical && !before.was_critical => EventKind::NowCritical,
        Some(before) if seen.is_fixable && !before.was_fixable => EventKind::FixAvailable,
        _ => EventKind::New,
    };
    vec![(kind, due.iter().copied().collect())]
}

/// An advisory that was merged into another keeps what was told of it under its old id.
fn take_over_alias(memory: &mut Memory, key: &(String, String), finding: &Finding) {
    for alias in &finding.aliases {
        let old = (alias.clone(), key.1.clone());
        let Some(old) = memory.subjects.remove(&old) else { continue };
        let own = memory.subjects.entry(key.clone()).or_insert_with(|| Remembered::blank(old.last_seen));
        own.was_critical |= old.was_critical;
        own.was_fixable |= old.was_fixable;
        own.last_seen = own.last_seen.max(old.last_seen);
        own.told.extend(old.told);
    }
}

/// Forgets what has been gone for long. Where part of the system could not be read, nothing counts as gone.
fn age(memory: &mut Memory, report: &TargetReport, present: &BTreeMap<(&str, &str), Present<'_>>, now: Timestamp) {
    if !report.problems.is_empty() {
        for ((advisory, package), remembered) in &mut memory.subjects {
            if !present.contains_key(&(advisory.as_str(), package.as_str())) {
                remembered.last_seen = now;
            }
        }
        return;
    }
    memory.subjects.retain(|_, remembered| {
        now.as_second().saturating_sub(remembered.last_seen.as_second()) <= ALERT_MEMORY_SECONDS
    });
}

#[cfg(test)]
mod tests;
