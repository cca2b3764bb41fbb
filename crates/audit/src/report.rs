//! What an audit answers: findings by target, where the feed came from, and one verdict.

use std::collections::BTreeMap;

use aux_core::{CheckResult, CheckState, Finding, FlakeInput, Problem, Severity, State, TargetKind};
use jiff::Timestamp;

/// The whole answer. Targets stand in the order they were given, findings worst first.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub targets: Vec<TargetReport>,
    /// `None` where none was asked, because configurations alone were judged.
    pub feed: Option<FeedFacts>,
    pub verdict: Verdict,
    /// The gate words in force, as typed: `class:critical,severity:high+fixable`.
    pub fail_on: String,
    /// The configuration file that set the gate; `None` where it is the default or was typed. A target may bring its own.
    pub gate_file: Option<String>,
    /// Waivers that expired, match nothing or ended because a fix exists.
    pub waiver_notes: Vec<WaiverNote>,
    /// The day expiry and age were judged at.
    pub as_of: Timestamp,
}

/// One target and everything found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetReport {
    pub name: String,
    pub kind: TargetKind,
    /// How many components were judged.
    pub components: usize,
    pub inputs: Vec<FlakeInput>,
    pub problems: Vec<Problem>,
    /// Sorted: alarms first, then by class, severity and id.
    pub findings: Vec<Finding>,
    /// Sorted: failed first, then unknown, worst first. `None` where the target tells nothing of a configuration.
    pub checks: Option<Vec<CheckResult>>,
}

/// Which feed the report rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFacts {
    /// The serial a publisher gave it; 0 for a feed that was never published.
    pub serial: u64,
    /// When it was compiled, or the day it was compiled as of.
    pub built: Timestamp,
    /// Age at [`Report::as_of`], never negative.
    pub age_seconds: u64,
    /// How many advisories it holds.
    pub advisories: usize,
}

/// The one word a job acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything was read and nothing is at or above the gate.
    Pass,
    /// Something is at or above the gate.
    Fail,
    /// Part of a target could not be read, so nobody can say.
    Unknown,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// A local waiver that needs its owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaiverNote {
    /// File and line, or file and entry number.
    pub subject: String,
    pub message: String,
}

/// Counts of a report, for its summary line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub targets: usize,
    pub components: usize,
    /// By state, every state present, waived ones counted apart.
    pub states: BTreeMap<&'static str, usize>,
    pub waived: usize,
    /// Alarms by severity, every severity present.
    pub alarms: BTreeMap<&'static str, usize>,
    pub kev: usize,
    pub fixable: usize,
    pub problems: usize,
    /// Configuration checks by state, every state present, waived ones counted apart.
    pub checks: BTreeMap<&'static str, usize>,
    pub checks_waived: usize,
}

impl Report {
    /// Whether part of a target was read. A machine is itself a part, of its flake, where another machine was read.
    pub(crate) fn has_part_of(&self, target: &TargetReport) -> bool {
        let is_machine = |target: &TargetReport| target.kind == TargetKind::FlakeOutput;
        let is_read = |target: &TargetReport| target.components > 0;
        is_read(target)
            || !target.inputs.is_empty()
            || target.checks.is_some()
            || (is_machine(target) && self.targets.iter().any(|other| is_machine(other) && is_read(other)))
    }

    pub fn summary(&self) -> Summary {
        let mut summary = Summary { targets: self.targets.len(), ..Summary::default() };
        for state in [State::Affected, State::Unreviewed, State::FixedByPatch, State::NotAffected, State::Unknown] {
            summary.states.insert(state.as_str(), 0);
        }
        for severity in
            [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::None, Severity::Unknown]
        {
            summary.alarms.insert(severity.as_str(), 0);
        }
        for state in [CheckState::Failed, CheckState::Unknown, CheckState::Passed] {
            summary.checks.insert(state.as_str(), 0);
        }
        for target in &self.targets {
            summary.components += target.components;
            summary.problems += target.problems.len();
            for finding in &target.findings {
                summary.count(finding);
            }
            for check in target.checks.iter().flatten() {
                if check.waived.is_some() {
                    summary.checks_waived += 1;
                } else {
                    *summary.checks.entry(check.state.as_str()).or_default() += 1;
                }
            }
        }
        summary
    }
}

impl Summary {
    fn count(&mut self, finding: &Finding) {
        if finding.waived.is_some() {
            self.waived += 1;
            return;
        }
        *self.states.entry(finding.state.as_str()).or_default() += 1;
        if finding.is_alarm() {
            *self.alarms.entry(finding.severity.as_str()).or_default() += 1;
            self.kev += usize::from(finding.kev);
            self.fixable += usize::from(finding.is_fixable());
        }
    }
}
