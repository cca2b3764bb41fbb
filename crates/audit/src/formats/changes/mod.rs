//! Every way to write down what an update changed.

mod groups;
pub mod json;
pub mod markdown;
pub mod table;

#[cfg(test)]
mod golden;

use super::{Format, Options, words};
use crate::{Changes, Presence, Verdict};

/// Writes `changes` down; `None` where the format has no form for them.
pub fn render(format: Format, changes: &Changes, options: Options<'_>) -> Option<String> {
    match format {
        Format::Table => Some(table::render(changes, options)),
        Format::Json => Some(json::render(changes)),
        Format::Markdown => Some(markdown::render(changes)),
        Format::Sarif | Format::OpenVex | Format::CycloneDx | Format::Junit => None,
    }
}

/// The verdict as a word in capitals and the sentence that explains it.
fn verdict(changes: &Changes) -> (&'static str, String) {
    let introduced = changes.sum(|target| target.introduced.len());
    let fixed = changes.sum(|target| target.fixed.len());
    let remaining = changes.sum(|target| target.remaining.len());
    let problems = changes.sum(|target| target.problems.len());
    let facts = format!(
        "{}, {fixed} fixed, {remaining} left as before",
        if introduced == 0 {
            "no alarm brought in".to_owned()
        } else {
            words::count(introduced, "alarm") + " brought in"
        },
    );
    match changes.verdict {
        Verdict::Fail => ("FAIL", facts),
        Verdict::Pass if problems > 0 => {
            ("PASS of what could be read", format!("{facts}; {} allowed", words::count(problems, "problem")))
        }
        Verdict::Pass if introduced > 0 => ("PASS", format!("{facts}; nothing brought in is at or above the gate")),
        Verdict::Pass => ("PASS", facts),
        Verdict::Unknown => {
            let problems = words::count(problems, "problem");
            ("UNKNOWN, not clean", format!("{problems} left part of what was asked for unread; {facts}"))
        }
    }
}

/// What the gate looked at, for the line that names it.
fn gate(changes: &Changes) -> String {
    let scope = if changes.gates_all { "on everything" } else { "on what is new" };
    format!("{}, {scope}", changes.now.fail_on)
}

/// Where a target stands, in a word: empty where it is simply in both states.
fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Kept => "",
        Presence::Added => "new",
        Presence::Removed => "removed",
        Presence::NotCompared => "not compared",
    }
}
