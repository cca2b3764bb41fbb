//! The report for a person at a terminal: what could not be read, the verdict, what was looked at, then the worst first.
//!
//! The verdict stands at the top and again at the bottom, because a long report ends where the eye is.

pub(super) mod alarms;

use aux_core::{Finding, FlakeInput, State, TargetKind};
use jiff::Timestamp;

use super::machines::{self, Machine};
use super::page::{Page, Paint, shortened};
use super::{Options, group, words};
use crate::{Report, TargetReport, Verdict};

/// Problems shown of one target before the rest is counted.
const PROBLEMS_SHOWN: usize = 20;
/// Inputs shown of one flake before the rest is counted.
const INPUTS_SHOWN: usize = 12;
/// Packages named on the line of a state that raises no alarm.
const NAMES_SHOWN: usize = 3;
/// Columns of the longest target name kept on one line.
const NAME_WIDTH_MAX: usize = 40;
/// Columns of a waiver's reason shown beside its count.
const REASON_WIDTH_MAX: usize = 40;

/// Writes the report for a terminal of `options.width` columns.
pub fn render(report: &Report, options: Options<'_>) -> String {
    let mut page = Page::new(options);
    problems(&mut page, report);
    verdict(&mut page, report);
    looked_at(&mut page, report);
    machines(&mut page, report);
    alarms::write(&mut page, report, Finding::is_alarm);
    unknown(&mut page, report);
    quiet(&mut page, report);
    waiver_notes(&mut page, report);
    closing(&mut page, report);
    page.finish()
}

fn problems(page: &mut Page, report: &Report) {
    let number: usize = report.targets.iter().map(|target| target.problems.len()).sum();
    if number == 0 {
        return;
    }
    page.line(Paint::Bold, &format!("Not read, so not judged ({})", words::count(number, "problem")));
    for target in &report.targets {
        for problem in target.problems.iter().take(PROBLEMS_SHOWN) {
            let whole = problem.subject == target.name || report.targets.len() == 1;
            let place = if whole { String::new() } else { format!("{}: ", shortened(&target.name, NAME_WIDTH_MAX)) };
            page.hanging(Paint::Plain, "  ! ", &format!("{place}{}: {}", problem.subject, problem.message));
        }
        let more = target.problems.len().saturating_sub(PROBLEMS_SHOWN);
        if more > 0 {
            let name = shortened(&target.name, NAME_WIDTH_MAX);
            page.hanging(Paint::Plain, "  ! ", &format!("{name}: and {more} more; --json lists them"));
        }
    }
    page.blank();
}

fn paint_of(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Pass => Paint::Bold,
        Verdict::Fail => Paint::Red,
        Verdict::Unknown => Paint::Yellow,
    }
}

fn verdict(page: &mut Page, report: &Report) {
    let (word, sentence) = words::verdict(report);
    page.hanging(paint_of(report.verdict), &format!("{word}: "), &sentence);
}

fn looked_at(page: &mut Page, report: &Report) {
    page.blank();
    page.line(Paint::Bold, "Looked at");
    // Machines have a list of their own.
    let listed = || report.targets.iter().filter(|target| target.kind != TargetKind::FlakeOutput);
    let longest = listed().map(|target| super::page::width_of(&shown_name(target))).max();
    let width = longest.unwrap_or_default();
    for target in listed() {
        let mut facts = words::count(target.components, "component");
        if !target.inputs.is_empty() {
            facts = format!("{facts}, {}", words::count(target.inputs.len(), "input"));
        }
        let lead = format!("  {:<width$}  ", shown_name(target));
        page.hanging(Paint::Plain, &lead, &format!("{}, {facts}", target.kind.as_str()));
        for input in target.inputs.iter().take(INPUTS_SHOWN) {
            page.hanging(Paint::Plain, "    input ", &input_facts(input, report.as_of));
        }
        let more = target.inputs.len().saturating_sub(INPUTS_SHOWN);
        if more > 0 {
            page.line(Paint::Plain, &format!("    and {more} more inputs; --json lists them"));
        }
    }
    page.hanging(Paint::Plain, "  with ", &words::feed(report));
}

/// Which machines are hit by what, and which are not.
fn machines(page: &mut Page, report: &Report) {
    let machines = machines::machines(report);
    if machines.is_empty() {
        return;
    }
    page.blank();
    page.line(Paint::Bold, "Machines and packages");
    let name = |machine: &Machine| shortened(&machine.name, NAME_WIDTH_MAX);
    let width = machines.iter().map(|machine| super::page::width_of(&name(machine))).max().unwrap_or_default();
    for machine in &machines {
        let paint = if machine.verdict == "FAIL" { Paint::Red } else { Paint::Plain };
        let lead = format!("  {:<width$}  {:<7}  ", name(machine), machine.verdict);
        let what = if machine.what.is_empty() { String::new() } else { format!(": {}", machine.what) };
        page.hanging(paint, &lead, &format!("{}{what}", machine.alarms));
    }
}

fn shown_name(target: &TargetReport) -> String {
    shortened(&target.name, NAME_WIDTH_MAX)
}

fn input_facts(input: &FlakeInput, as_of: Timestamp) -> String {
    if let Some(follows) = &input.follows {
        return format!("{} follows {follows}", input.name);
    }
    let mut facts = format!("{}: {}", input.name, input.source);
    if let Some(branch) = &input.branch {
        facts = format!("{facts}, branch {branch}");
    }
    if let Some(locked) = input.last_modified {
        let seconds = u64::try_from(as_of.as_second().saturating_sub(locked.as_second())).unwrap_or_default();
        facts = format!("{facts}, locked {}, {} old", words::day(locked), words::age(seconds));
    }
    facts
}

/// Findings nobody can decide are all shown: unknown is never zero.
fn unknown(page: &mut Page, report: &Report) {
    let groups = group::by_package(report, |finding| finding.state == State::Unknown && finding.waived.is_none());
    if groups.is_empty() {
        return;
    }
    let number: usize = groups.iter().map(|group| group.rows.len()).sum();
    page.blank();
    let heading = format!("Unknown ({number}): the version cannot be ordered, so neither affected nor safe");
    page.line(Paint::Bold, &heading);
    for group in groups {
        let ids = group::ids(&group.rows.iter().collect::<Vec<_>>());
        page.hanging(Paint::Plain, "  ? ", &format!("{}: {ids}", alarms::package(group.package)));
    }
}

/// What raises no alarm: counted, with a few names, and how to see the rest.
fn quiet(page: &mut Page, report: &Report) {
    let unwaived = |state| move |finding: &Finding| finding.state == state && finding.waived.is_none();
    let lines = [
        ("unreviewed", "several vendors claim the name", group::by_package(report, unwaived(State::Unreviewed))),
        ("fixed by patch", "a patch names the advisory", group::by_package(report, unwaived(State::FixedByPatch))),
        ("not affected", "a statement says so", group::by_package(report, unwaived(State::NotAffected))),
        ("waived", "", group::by_package(report, |finding| finding.waived.is_some())),
    ];
    if lines.iter().all(|(_, _, groups)| groups.is_empty()) {
        return;
    }
    page.blank();
    page.line(Paint::Bold, "No alarm");
    for (word, why, groups) in lines {
        if groups.is_empty() {
            continue;
        }
        let number: usize = groups.iter().map(|group| group.rows.len()).sum();
        let mut names: Vec<String> =
            groups.iter().take(NAMES_SHOWN).map(|group| alarms::package(group.package)).collect();
        if groups.len() > NAMES_SHOWN {
            names.push(format!("and {} more", groups.len() - NAMES_SHOWN));
        }
        let reason = groups.first().and_then(|group| group.rows.first()).and_then(|row| row.finding.waived.as_deref());
        let why = match reason {
            Some(reason) => format!("\"{}\"", shortened(reason, REASON_WIDTH_MAX)),
            None => why.to_owned(),
        };
        page.hanging(Paint::Plain, &format!("{number:>5} {word:<15} "), &format!("{} ({why})", names.join(", ")));
    }
    page.line(Paint::Plain, "  --json lists each of them, --explain ID says why.");
}

fn waiver_notes(page: &mut Page, report: &Report) {
    if report.waiver_notes.is_empty() {
        return;
    }
    page.blank();
    page.line(Paint::Bold, &format!("Waivers that need their owner ({})", report.waiver_notes.len()));
    for note in &report.waiver_notes {
        page.hanging(Paint::Plain, "  ! ", &format!("{}: {}", note.subject, note.message));
    }
}

fn closing(page: &mut Page, report: &Report) {
    let (word, _) = words::verdict(report);
    page.blank();
    // What was not read at all cannot be allowed.
    let is_partial = |target: &TargetReport| target.problems.is_empty() || report.has_part_of(target);
    let hint = match report.verdict {
        Verdict::Unknown if !report.targets.iter().all(is_partial) => "",
        Verdict::Unknown => "; --allow-incomplete judges what could be read",
        Verdict::Pass | Verdict::Fail => "",
    };
    page.hanging(paint_of(report.verdict), &format!("{word} "), &format!("(gate: {}{hint})", words::gate(report)));
}
