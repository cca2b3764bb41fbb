//! Markdown for a pull request comment: the verdict, a table of the alarms, and the rest folded away.

mod checks;

use std::fmt::Write as _;

use aux_core::{Finding, State, TargetKind};

use super::group::{self, Group, Row};
use super::{escape, machines, words};
use crate::Report;

/// Rows of the table of alarms; what is exploited or called critical by the team is shown beyond it.
const ROWS_SHOWN: usize = 60;
/// Lines of one list.
const LINES_SHOWN: usize = 25;
/// Bytes after which a folded list is only counted: code hosts refuse comments of more than 65 536 characters.
const COMMENT_BYTES: usize = 50_000;

/// Writes the report as GitHub-flavoured Markdown.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let (word, sentence) = words::verdict(report);
    let _ = writeln!(text, "### Audit: {word}\n\n{}.\n", escape::markdown(&sentence));
    problems(&mut text, report);
    machines(&mut text, report);
    rows(&mut text, report, Finding::is_alarm);
    for (word, wanted) in states() {
        folded(&mut text, word, &group::by_package(report, wanted));
    }
    checks::write(&mut text, report);
    waiver_notes(&mut text, report);
    looked_at(&mut text, report);
    text
}

type Wanted = fn(&Finding) -> bool;

/// What raises no alarm, in the order of how much a person should care.
fn states() -> [(&'static str, Wanted); 5] {
    [
        ("unknown: the version cannot be ordered", |finding| is(finding, State::Unknown)),
        ("unreviewed: several vendors claim the name", |finding| is(finding, State::Unreviewed)),
        ("fixed by patch", |finding| is(finding, State::FixedByPatch)),
        ("not affected", |finding| is(finding, State::NotAffected)),
        ("waived", |finding| finding.waived.is_some()),
    ]
}

fn is(finding: &Finding, state: State) -> bool {
    finding.state == state && finding.waived.is_none()
}

fn problems(text: &mut String, report: &Report) {
    let number: usize = report.targets.iter().map(|target| target.problems.len()).sum();
    if number == 0 {
        return;
    }
    let _ = writeln!(text, "**Not read, so not judged ({})**\n", words::count(number, "problem"));
    let all = report.targets.iter().flat_map(|target| target.problems.iter().map(move |problem| (target, problem)));
    for (target, problem) in all.take(LINES_SHOWN) {
        let place = if problem.subject == target.name { String::new() } else { escape::markdown(&target.name) + ": " };
        let (subject, message) = (escape::markdown(&problem.subject), escape::markdown(&problem.message));
        let _ = writeln!(text, "- {place}{subject}: {message}");
    }
    more(text, number, LINES_SHOWN);
    text.push('\n');
}

/// Says how many lines of a list were left out.
fn more(text: &mut String, number: usize, shown: usize) {
    if number > shown {
        let _ = writeln!(text, "- and {} more: see the JSON report", number - shown);
    }
}

/// The table of findings that are `wanted`, worst first.
pub(super) fn rows(text: &mut String, report: &Report, wanted: impl Fn(&Finding) -> bool) {
    let groups = group::by_package(report, wanted);
    if groups.is_empty() {
        return;
    }
    text.push_str("| Severity | Advisory | Package | Fix | Where |\n|---|---|---|---|---|\n");
    let (mut room, mut named, mut counted) = (ROWS_SHOWN, String::new(), Vec::new());
    for group in &groups {
        let shown = group::shown(&group.rows, room);
        room = room.saturating_sub(shown.rows.len());
        for row in shown.rows {
            alarm(text, group, row);
        }
        if let Some(first) = shown.named.first() {
            let (package, ids) = (package(first.finding), escape::markdown(&group::ids(&shown.named)));
            let _ = writeln!(named, "- also critical in {package}: {ids}");
        }
        counted.extend(shown.counted);
    }
    if !named.is_empty() {
        let _ = write!(text, "\n{named}");
    }
    if !counted.is_empty() {
        let severities = words::severities(counted.iter().map(|row| row.finding));
        let _ = writeln!(text, "\nand {} more ({severities}): see the JSON report", counted.len());
    }
    text.push('\n');
}

fn alarm(text: &mut String, group: &Group<'_>, row: &Row<'_>) {
    let finding = row.finding;
    let mut severity = words::severity(finding);
    for mark in words::marks(finding) {
        severity = format!("{severity}, {mark}");
    }
    let severity = if group::is_never_hidden(finding) { format!("**{severity}**") } else { severity };
    let _ = writeln!(
        text,
        "| {severity} | {} | {} | {} | {} |",
        advisory(&finding.id),
        package(finding),
        escape::markdown(&words::fix(finding)),
        place(group, row),
    );
}

/// The id, linked where a database has a page for it.
pub(super) fn advisory(id: &str) -> String {
    match words::nvd_page(id) {
        Some(page) => format!("[{}]({page})", escape::markdown(id)),
        None => escape::markdown(id),
    }
}

fn package(finding: &Finding) -> String {
    escape::markdown(format!("{} {}", finding.package.name, finding.package.version).trim_end())
}

/// The target and, where known, whether it runs and by what path.
fn place(group: &Group<'_>, row: &Row<'_>) -> String {
    let Some(first) = row.targets.first().and_then(|index| group.places.iter().find(|place| place.index == *index))
    else {
        return String::new();
    };
    let mut text = escape::markdown(&first.target.name);
    if row.targets.len() > 1 {
        let _ = write!(text, " and {}", words::count(row.targets.len() - 1, "more target"));
    }
    if row.finding.scope != aux_core::Scope::Unknown {
        let _ = write!(text, ", {}", row.finding.scope.as_str());
    }
    if let [root, .., last] = &*row.finding.path {
        let between = row.finding.path.iter().rev().nth(1).filter(|_| row.finding.path.len() > 2);
        let skipped = if row.finding.path.len() > 3 { " › …" } else { "" };
        let between = between.map(|label| format!(" › {}", escape::markdown(label))).unwrap_or_default();
        let _ = write!(text, ": {}{skipped}{between} › {}", escape::markdown(root), escape::markdown(last));
    }
    text
}

fn folded(text: &mut String, word: &str, groups: &[Group<'_>]) {
    if groups.is_empty() {
        return;
    }
    let number: usize = groups.iter().map(|group| group.rows.len()).sum();
    if text.len() > COMMENT_BYTES {
        let _ = writeln!(text, "{number} {word}: see the JSON report.\n");
        return;
    }
    let _ = writeln!(text, "<details><summary>{number} {word}</summary>\n");
    for row in groups.iter().flat_map(|group| &group.rows).take(LINES_SHOWN) {
        let reason = escape::markdown(&words::reason(row.finding));
        let _ = writeln!(text, "- {} {}: {reason}", package(row.finding), advisory(&row.finding.id));
    }
    more(text, number, LINES_SHOWN);
    text.push_str("\n</details>\n\n");
}

/// Which machines are hit by what, and which are not.
fn machines(text: &mut String, report: &Report) {
    let machines = machines::machines(report);
    if machines.is_empty() {
        return;
    }
    text.push_str("| Machine | Verdict | Alarms | In |\n|---|---|---|---|\n");
    for machine in machines.iter().take(ROWS_SHOWN) {
        let (name, what) = (escape::markdown(&machine.name), escape::markdown(&machine.what));
        let _ = writeln!(text, "| {name} | {} | {} | {what} |", machine.verdict, machine.alarms);
    }
    text.push('\n');
    more(text, machines.len(), ROWS_SHOWN);
}

fn waiver_notes(text: &mut String, report: &Report) {
    if report.waiver_notes.is_empty() {
        return;
    }
    text.push_str("**Waivers that need their owner**\n\n");
    for note in report.waiver_notes.iter().take(LINES_SHOWN) {
        let _ = writeln!(text, "- {}: {}", escape::markdown(&note.subject), escape::markdown(&note.message));
    }
    more(text, report.waiver_notes.len(), LINES_SHOWN);
    text.push('\n');
}

fn looked_at(text: &mut String, report: &Report) {
    // Machines have a table of their own.
    let listed = || report.targets.iter().filter(|target| target.kind != TargetKind::FlakeOutput);
    let targets: Vec<String> = listed()
        .take(LINES_SHOWN)
        .map(|target| {
            let judged = words::count(target.components, "component");
            format!("{} ({}, {judged})", escape::markdown(&target.name), target.kind.as_str())
        })
        .collect();
    let rest = listed().count().saturating_sub(LINES_SHOWN);
    let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    let gate = escape::markdown(&words::gate(report));
    let _ = writeln!(text, "Looked at {}{rest} with {}. Gate: {gate}.", targets.join(", "), words::feed(report));
}
