//! Which machines are hit by what, and which are not: one row for each machine and package of a flake.

use aux_core::{Finding, TargetKind};

use super::{group, words};
use crate::{Gate, Report, TargetReport};

/// Packages named in one row before the rest is counted.
const PACKAGES_SHOWN: usize = 3;

/// A machine in a word and a sentence.
pub(super) struct Machine {
    /// Without the flake's name where there is only one flake.
    pub(super) name: String,
    /// `FAIL`, `PASS` or `UNKNOWN`.
    pub(super) verdict: &'static str,
    /// `1 critical, 2 high`, `no alarm`, `not judged`.
    pub(super) alarms: String,
    /// `openssl 1.1.1g, sudo 1.8.31 and 2 more`; empty where nothing was read.
    pub(super) what: String,
}

/// One for each evaluated machine or package, in the order of the targets.
pub(super) fn machines(report: &Report) -> Vec<Machine> {
    let gate = Gate::read(&report.fail_on).ok();
    let machines = report.targets.iter().filter(|target| target.kind == TargetKind::FlakeOutput);
    machines.map(|target| machine(target, short(report, &target.name), gate.as_ref())).collect()
}

/// A target's name without that of its flake, where there is only one flake.
pub(super) fn short<'n>(report: &Report, name: &'n str) -> &'n str {
    let mut flakes = report.targets.iter().filter(|target| target.kind == TargetKind::FlakeLock);
    let flake = flakes.next().filter(|_| flakes.next().is_none());
    let inside = flake.and_then(|flake| name.strip_prefix(flake.name.as_str())?.strip_prefix('#'));
    inside.unwrap_or(name)
}

fn machine(target: &TargetReport, name: &str, gate: Option<&Gate>) -> Machine {
    let name = name.to_owned();
    let fails = |finding: &Finding| gate.is_some_and(|gate| gate.fails(finding));
    let verdict = if !target.problems.is_empty() {
        "UNKNOWN"
    } else if target.findings.iter().any(fails) {
        "FAIL"
    } else {
        "PASS"
    };
    let alarms = words::severities(target.findings.iter().filter(|finding| finding.is_alarm()));
    let mut packages: Vec<String> = group::in_target(target, Finding::is_alarm)
        .iter()
        .map(|group| format!("{} {}", group.package.name, group.package.version).trim_end().to_owned())
        .collect();
    let more = packages.len().saturating_sub(PACKAGES_SHOWN);
    packages.truncate(PACKAGES_SHOWN);
    let mut what = packages.join(", ");
    if more > 0 {
        what = format!("{what} and {more} more");
    }
    if what.is_empty() {
        what = format!("{} judged", words::count(target.components, "component"));
    }
    match target.problems.first() {
        // What was not read stands before everything else, with its reason.
        Some(_) if target.components == 0 => {
            Machine { name, verdict, alarms: "not judged".to_owned(), what: String::new() }
        }
        _ if alarms.is_empty() => Machine { name, verdict, alarms: "no alarm".to_owned(), what },
        _ => Machine { name, verdict, alarms, what },
    }
}
