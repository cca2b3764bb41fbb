//! The configuration checks of the table: what failed with the lines that fix it, what could not be seen, and a count.

use aux_core::{CheckResult, CheckState, Severity};

use super::NAME_WIDTH_MAX;
use crate::formats::page::{Page, Paint, shortened};
use crate::formats::words;
use crate::{Report, TargetReport};

pub(super) fn write(page: &mut Page, report: &Report) {
    for target in &report.targets {
        let Some(checks) = &target.checks else { continue };
        page.blank();
        heading(page, target, checks, report.targets.len() > 1);
        for check in checks.iter().filter(|check| check.is_alarm()) {
            failed(page, check);
        }
        listed(page, "?", "not seen", checks.iter().filter(|check| is(check, CheckState::Unknown)));
        listed(page, "-", "waived", checks.iter().filter(|check| check.waived.is_some()));
    }
}

fn is(check: &CheckResult, state: CheckState) -> bool {
    check.state == state && check.waived.is_none()
}

fn heading(page: &mut Page, target: &TargetReport, checks: &[CheckResult], several: bool) {
    let number = |state| checks.iter().filter(|check| is(check, state)).count();
    let place = if several { format!(" of {}", shortened(&target.name, NAME_WIDTH_MAX)) } else { String::new() };
    let counts = format!(
        "{} failed, {} unknown, {} passed",
        words::count(number(CheckState::Failed), "check"),
        number(CheckState::Unknown),
        number(CheckState::Passed)
    );
    page.hanging(Paint::Bold, &format!("Configuration{place}  "), &counts);
}

fn failed(page: &mut Page, check: &CheckResult) {
    let paint = match check.severity {
        Severity::Critical => Paint::Red,
        Severity::High => Paint::Yellow,
        _ => Paint::Plain,
    };
    let lead = format!("  {:<8}  {}  ", check.severity.as_str(), check.id);
    page.hanging(paint, &lead, &format!("{}: {}", check.title, words::check_reason(check)));
    for line in check.fix.lines() {
        // Lines of a file stay lines of a file, whatever the width, unless they do not fit.
        let indent = line.len() - line.trim_start().len();
        page.hanging(Paint::Plain, &format!("{}{}", " ".repeat(6), &" ".repeat(indent)), line.trim_start());
    }
}

fn listed<'a>(page: &mut Page, sign: &str, word: &str, checks: impl Iterator<Item = &'a CheckResult>) {
    for check in checks {
        let lead = format!("  {sign} {word}  {}  ", check.id);
        page.hanging(Paint::Plain, &lead, &format!("{}: {}", check.title, words::check_reason(check)));
    }
}
