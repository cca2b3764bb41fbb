//! `JUnit` XML, for servers that know tests: a suite for each target, a test case for each package something was found in.
//!
//! An alarm fails its package; what nobody can decide is skipped, not passed; what could not be read is an error.

use std::fmt::Write as _;

use aux_core::{CheckResult, CheckState, Finding, State};

use super::escape::xml;
use super::group::{self, Group};
use super::words;
use crate::{Report, TargetReport};

/// Writes the report as one `testsuites` document.
pub fn render(report: &Report) -> String {
    let suites: Vec<Suite> = report.targets.iter().map(Suite::new).collect();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let total = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let _ = writeln!(
        text,
        r#"<testsuites name="aux audit: {}" tests="{}" failures="{}" errors="{}" skipped="{}">"#,
        report.verdict.as_str(),
        total(|suite| suite.tests),
        total(|suite| suite.failures),
        total(|suite| suite.errors),
        total(|suite| suite.skipped),
    );
    // The timestamp of a suite has no offset in the schema servers check: it is UTC.
    let moment = report.as_of.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    for suite in &suites {
        let Suite { name, tests, failures, errors, skipped, cases } = suite;
        let _ = writeln!(
            text,
            r#"  <testsuite name="{name}" tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="0" timestamp="{moment}">"#
        );
        text.push_str(cases);
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A suite in the making: its counts and the text of its cases.
#[derive(Default)]
struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

impl Suite {
    fn new(target: &TargetReport) -> Self {
        let mut suite = Self { name: xml(&target.name), ..Self::default() };
        for problem in &target.problems {
            suite.errors += 1;
            let message = xml(&problem.message);
            suite.case(&problem.subject, &format!("<error type=\"problem\" message=\"{message}\"/>"));
        }
        if target.problems.is_empty() {
            // A suite always says something, so that a clean target is not taken for a missing one.
            suite.case("read completely", "");
        }
        for group in group::in_target(target, |_| true) {
            suite.package(&group);
        }
        for check in target.checks.iter().flatten() {
            suite.check(check);
        }
        suite
    }

    fn check(&mut self, check: &CheckResult) {
        let reason = words::check_reason(check);
        let body = match check.state {
            _ if check.waived.is_some() => format!("<system-out>{}</system-out>", xml(&reason)),
            CheckState::Failed => {
                self.failures += 1;
                let lines: Vec<String> = check.fix.lines().map(str::to_owned).collect();
                element("failure", check.severity.as_str(), &reason, &lines)
            }
            CheckState::Unknown => {
                self.skipped += 1;
                format!("<skipped message=\"{}\"/>", xml(&format!("not seen: {reason}")))
            }
            CheckState::Passed => format!("<system-out>{}</system-out>", xml(&reason)),
        };
        self.case(&format!("{} {}", check.id, check.title), &body);
    }

    fn package(&mut self, group: &Group<'_>) {
        let name = format!("{} {}", group.package.name, group.package.version);
        let alarms: Vec<&Finding> = findings(group, Finding::is_alarm);
        let undecided = findings(group, |finding| {
            finding.waived.is_none() && matches!(finding.state, State::Unknown | State::Unreviewed)
        });
        let body = if !alarms.is_empty() {
            self.failures += 1;
            let kind = alarms.first().map(|finding| finding.severity.as_str()).unwrap_or_default();
            element("failure", kind, &words::count(alarms.len(), "alarm"), &lines(group))
        } else if !undecided.is_empty() {
            self.skipped += 1;
            let message = format!("{} not decided", words::count(undecided.len(), "finding"));
            format!("<skipped message=\"{}\"/>", xml(&format!("{message}: {}", lines(group).join("; "))))
        } else {
            format!("<system-out>{}</system-out>", xml(&lines(group).join("; ")))
        };
        self.case(name.trim_end(), &body);
    }

    fn case(&mut self, name: &str, body: &str) {
        self.tests += 1;
        let _ = write!(self.cases, r#"    <testcase classname="{}" name="{}" time="0""#, self.name, xml(name));
        if body.is_empty() {
            self.cases.push_str("/>\n");
        } else {
            let _ = writeln!(self.cases, ">{body}</testcase>");
        }
    }
}

fn findings<'a>(group: &Group<'a>, wanted: impl Fn(&Finding) -> bool) -> Vec<&'a Finding> {
    group.rows.iter().map(|row| row.finding).filter(|finding| wanted(finding)).collect()
}

/// One line for each finding of a package, alarms with their fix, others with their reason.
fn lines(group: &Group<'_>) -> Vec<String> {
    let line = |finding: &Finding| {
        if !finding.is_alarm() {
            return format!("{}: {} ({})", finding.id, words::state(finding.state), words::reason(finding));
        }
        let mut parts = vec![words::severity(finding)];
        parts.extend(words::marks(finding));
        parts.push(words::fix(finding));
        format!("{}: {}", finding.id, parts.join(", "))
    };
    group.rows.iter().map(|row| line(row.finding)).collect()
}

fn element(name: &str, kind: &str, message: &str, lines: &[String]) -> String {
    let mut text = format!("<{name} type=\"{}\" message=\"{}\">", xml(kind), xml(message));
    for line in lines {
        text.push('\n');
        text.push_str(&xml(line));
    }
    let _ = write!(text, "\n</{name}>");
    text
}
