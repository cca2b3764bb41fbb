//! The one line that a terminal shows: `/run/aux/motd`, written by the daemon and printed by hooks without asking anybody.

use crate::state::{Standing, State};
use crate::store::{Store, StoreError};

/// The line, with its line feed; empty where all is well and there is nothing to say.
pub fn line(state: &State, store: Option<&Store>) -> Result<String, StoreError> {
    let (mut alarms, mut critical, mut fixable) = (0_usize, 0_usize, 0_usize);
    for system in state.systems.iter().filter(|system| system.last.is_some()) {
        for finding in store.map(|store| store.findings(&system.name)).transpose()?.unwrap_or_default() {
            if finding.is_alarm() {
                alarms += 1;
                critical += usize::from(finding.is_critical());
                fixable += usize::from(finding.is_fixable());
            }
        }
    }
    let counts = match alarms {
        0 => None,
        1 => Some("1 alarm".to_owned()),
        _ => Some(format!("{alarms} alarms")),
    };
    let counts = counts.map(|counts| {
        let critical = if critical > 0 { format!(", {critical} of them critical") } else { String::new() };
        let fixable = if fixable > 0 { format!(", {fixable} with a fix to take") } else { String::new() };
        format!("{counts}{critical}{fixable}")
    });
    Ok(match (state.standing, counts) {
        (Standing::Current, None) => String::new(),
        // Hooks show a line that begins so in every new shell, others once.
        (Standing::Current, Some(counts)) if critical > 0 => format!("aux: critical: {counts}; see: aux audit\n"),
        (Standing::Current, Some(counts)) => format!("aux: {counts}; see: aux audit\n"),
        (standing, counts) => {
            let before = counts.map(|counts| format!(" (before that: {counts})")).unwrap_or_default();
            format!("aux: the state of this machine is {}{before}; see: aux doctor\n", standing.as_str())
        }
    })
}
