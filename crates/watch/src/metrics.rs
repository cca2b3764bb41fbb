//! What is known as Prometheus text (exposition format 0.0.4).
//!
//! A number that is not known is left out, never written as zero: `absent()` and `aux_standing` tell the two apart.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::state::{Standing, State, SystemState};
use crate::store::{Store, StoreError};

const SEVERITIES: [&str; 6] = ["critical", "high", "medium", "low", "none", "unknown"];

/// Writes the metrics of a moment.
pub fn render(state: &State, store: Option<&Store>) -> Result<String, StoreError> {
    let mut text = String::new();
    family(&mut text, "aux_standing", "gauge", "1 for how far what is known may be believed.");
    for system in &state.systems {
        for standing in [Standing::Current, Standing::Stale, Standing::Unknown] {
            let value = u8::from(system.standing == standing);
            let labels = [("system", system.name.as_str()), ("standing", standing.as_str())];
            sample(&mut text, "aux_standing", &labels, value.into());
        }
    }
    findings(&mut text, state, store)?;
    audits(&mut text, state);
    family(&mut text, "aux_last_round_success", "gauge", "Whether the last round could judge anything.");
    if let Some(attempt) = &state.last_attempt {
        sample(&mut text, "aux_last_round_success", &[], u8::from(attempt.failure.is_none()).into());
        family(&mut text, "aux_last_round_timestamp_seconds", "gauge", "When the last round ended, well or not.");
        sample(&mut text, "aux_last_round_timestamp_seconds", &[], attempt.at.as_second());
    }
    if let Some(waiting) = store.map(Store::waiting_count).transpose()? {
        family(&mut text, "aux_events_waiting", "gauge", "Events that no alert queue has taken over yet.");
        sample(&mut text, "aux_events_waiting", &[], i64::try_from(waiting).unwrap_or(i64::MAX));
    }
    Ok(text)
}

fn findings(text: &mut String, state: &State, store: Option<&Store>) -> Result<(), StoreError> {
    let mut alarms = String::new();
    let mut states = String::new();
    for system in judged(state) {
        let found = store.map(|store| store.findings(&system.name)).transpose()?.unwrap_or_default();
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let mut by_state: BTreeMap<&str, i64> = BTreeMap::new();
        for finding in &found {
            let word = if finding.waived.is_some() { "waived" } else { finding.state.as_str() };
            *by_state.entry(word).or_default() += 1;
            if finding.is_alarm() {
                *counts.entry((finding.severity.as_str(), fixability(finding))).or_default() += 1;
            }
        }
        for severity in SEVERITIES {
            for fix in ["channel", "upstream", "none"] {
                let count = counts.get(&(severity, fix)).copied().unwrap_or_default();
                let labels = [("system", system.name.as_str()), ("severity", severity), ("fix", fix)];
                sample(&mut alarms, "aux_findings", &labels, count);
            }
        }
        for word in ["affected", "unreviewed", "unknown", "fixed_by_patch", "not_affected", "waived"] {
            let count = by_state.get(word).copied().unwrap_or_default();
            sample(&mut states, "aux_findings_by_state", &[("system", &system.name), ("state", word)], count);
        }
    }
    family(text, "aux_findings", "gauge", "Alarms by severity, and by where a fix is.");
    text.push_str(&alarms);
    family(text, "aux_findings_by_state", "gauge", "All findings by state.");
    text.push_str(&states);
    Ok(())
}

/// Counts are only known of a system that could be judged.
fn judged(state: &State) -> impl Iterator<Item = &SystemState> {
    state.systems.iter().filter(|system| system.last.as_ref().is_some_and(|last| last.verdict != "unknown"))
}

fn fixability(finding: &crate::Known) -> &'static str {
    match (finding.is_fixable(), finding.fixed_versions.is_empty()) {
        (true, _) => "channel",
        (false, false) => "upstream",
        (false, true) => "none",
    }
}

fn audits(text: &mut String, state: &State) {
    let at = state.at.as_second();
    let audited: Vec<_> =
        state.systems.iter().filter_map(|system| system.last.as_ref().map(|last| (&system.name, last))).collect();
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut each = |name: &str, help: &str, value: &dyn Fn(&crate::LastAudit) -> i64| {
        family(text, name, "gauge", help);
        for (system, last) in &audited {
            sample(text, name, &[("system", system)], value(last));
        }
    };
    each("aux_last_audit_timestamp_seconds", "When the system was last audited.", &|last| last.audited.as_second());
    each("aux_components", "Components judged in the last audit.", &|last| whole(last.components));
    each("aux_problems", "Parts that could not be read in the last audit.", &|last| {
        i64::try_from(last.problems.len()).unwrap_or(i64::MAX)
    });
    each("aux_feed_serial", "Serial of the feed of the last audit.", &|last| whole(last.feed_serial));
    each("aux_feed_age_seconds", "Age of that feed now.", &|last| at.saturating_sub(last.feed_built.as_second()));
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: i64) {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let _ = write!(text, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(value));
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

/// A label's value: backslash, quote and line feed are escaped, as the format says.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
