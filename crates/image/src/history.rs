//! How many findings an image had over time, by severity and by what could be done: kept in one database, a day each.
//!
//! A day on which nobody could say is kept as such, with the reason: it is never drawn as a day without findings.

mod json;
mod store;
mod svg;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aux_audit::Verdict;
use aux_core::Severity;
use jiff::Timestamp;

use crate::audit::{Fixability, Report};

pub use json::{SCHEMA, json};
pub use store::{FILE_NAME, History, HistoryError};
pub use svg::svg;
pub use terminal::terminal;

/// Severities as they are shown, the worst first. What nobody scored stands last, and is no zero.
pub const SEVERITIES: [Severity; 6] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::None, Severity::Unknown];

/// How one image stood at one moment, and by what that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub at: Timestamp,
    /// The revision of the vulnerability list.
    pub list_revision: Option<String>,
    /// The serial of the feed that gave severities; without one every severity is unknown.
    pub feed_serial: Option<u64>,
    /// Packages seen; `None` where nobody can say.
    pub packages: Option<u64>,
    /// The findings, or why nobody can say.
    pub counts: Result<Counts, String>,
}

/// Findings by severity and by what can be done; what is not there is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(Fixability, Severity), u64>);

impl Counts {
    pub fn add(&mut self, fix: Fixability, severity: Severity, number: u64) {
        if number > 0 {
            *self.0.entry((fix, severity)).or_default() += number;
        }
    }

    pub fn of(&self, fix: Fixability, severity: Severity) -> u64 {
        self.0.get(&(fix, severity)).copied().unwrap_or_default()
    }

    /// All of one fixability.
    pub fn of_fix(&self, fix: Fixability) -> u64 {
        SEVERITIES.iter().map(|severity| self.of(fix, *severity)).sum()
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fixability, Severity, u64)> {
        self.0.iter().map(|((fix, severity), number)| (*fix, *severity, *number))
    }
}

impl Observation {
    /// What a report of one image says. With a problem anywhere, the counts are a lower bound and not kept.
    pub fn of(report: &Report) -> Self {
        let counts = if report.verdict == Verdict::Unknown {
            let first = report.every_problem().next();
            let reason = first.map(|problem| format!("{}: {}", problem.subject, problem.message));
            Err(reason.unwrap_or_else(|| "nothing was looked at".to_owned()))
        } else {
            let mut counts = Counts::default();
            for finding in report.images.iter().flat_map(|image| &image.findings) {
                counts.add(finding.fixability(), finding.severity(), 1);
            }
            Ok(counts)
        };
        let packages = report.images.iter().map(|image| image.packages as u64).sum();
        Self {
            at: report.as_of,
            list_revision: report.list.as_ref().and_then(|list| list.revision.clone()),
            feed_serial: report.feed.as_ref().map(|feed| feed.serial),
            packages: counts.is_ok().then_some(packages),
            counts,
        }
    }

    /// A moment at which nobody can say anything.
    pub fn unknown(at: Timestamp, reason: impl Into<String>) -> Self {
        Self { at, list_revision: None, feed_serial: None, packages: None, counts: Err(reason.into()) }
    }
}

/// The day of a moment, as it is shown.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Observations of images, each image's oldest first.
pub type Images = BTreeMap<String, Vec<Observation>>;
