//! What an update changed, for a person at a terminal: what it brought in first, then what it fixed, then the rest.

use aux_core::{Finding, TargetKind};

use super::groups;
use crate::formats::page::{Page, Paint, shortened, width_of};
use crate::formats::{Options, table, words};
use crate::{Changes, Presence, TargetChanges, Verdict};

/// Problems shown of one target before the rest is counted.
const PROBLEMS_SHOWN: usize = 20;
/// Package changes shown before the rest is counted.
const PACKAGES_SHOWN: usize = 40;
/// Columns of a target's name, and of a package's.
const NAME_WIDTH_MAX: usize = 36;

/// Writes the changes for a terminal of `options.width` columns.
pub fn render(changes: &Changes, options: Options<'_>) -> String {
    let mut page = Page::new(options);
    problems(&mut page, changes);
    let (word, sentence) = super::verdict(changes);
    page.hanging(paint(changes.verdict), &format!("{word}: "), &sentence);
    targets(&mut page, changes);
    let introduced = changes.introduced();
    if introduced.targets.iter().any(|target| !target.findings.is_empty()) {
        page.blank();
        page.line(Paint::Bold, "Brought in");
        table::alarms::write(&mut page, &introduced, |_: &Finding| true);
    }
    fixed(&mut page, changes);
    inputs(&mut page, changes);
    packages(&mut page, changes);
    page.blank();
    page.hanging(paint(changes.verdict), &format!("{word} "), &format!("(gate: {})", super::gate(changes)));
    page.finish()
}

fn paint(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Pass => Paint::Bold,
        Verdict::Fail => Paint::Red,
        Verdict::Unknown => Paint::Yellow,
    }
}

fn problems(page: &mut Page, changes: &Changes) {
    let number = changes.sum(|target| target.problems.len());
    if number == 0 {
        return;
    }
    page.line(Paint::Bold, &format!("Not read, so not judged ({})", words::count(number, "problem")));
    for target in &changes.targets {
        for problem in target.problems.iter().take(PROBLEMS_SHOWN) {
            page.hanging(Paint::Plain, "  ! ", &format!("{}: {}", problem.subject, problem.message));
        }
        let more = target.problems.len().saturating_sub(PROBLEMS_SHOWN);
        if more > 0 {
            let name = shortened(&target.name, NAME_WIDTH_MAX);
            page.hanging(Paint::Plain, "  ! ", &format!("{name}: and {more} more; --json lists them"));
        }
    }
    page.blank();
}

fn targets(page: &mut Page, changes: &Changes) {
    page.blank();
    page.line(Paint::Bold, &format!("Since {}", shortened(&changes.since, NAME_WIDTH_MAX)));
    let rows: Vec<&TargetChanges> =
        changes.targets.iter().filter(|target| target.kind != TargetKind::FlakeLock).collect();
    let name = |target: &TargetChanges| shortened(groups::short(changes, &target.name), NAME_WIDTH_MAX);
    let width = rows.iter().map(|target| width_of(&name(target))).max().unwrap_or_default();
    for target in rows {
        page.hanging(Paint::Plain, &format!("  {:<width$}  ", name(target)), &facts(target));
    }
    page.hanging(Paint::Plain, "  with ", &words::feed(&changes.now));
}

fn facts(target: &TargetChanges) -> String {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(Some(super::presence(target.presence).to_owned()).filter(|word| !word.is_empty()));
    if target.presence == Presence::NotCompared {
        if !target.remaining.is_empty() {
            facts.push(format!("{} now", words::count(target.remaining.len(), "alarm")));
        }
        return facts.join(", ");
    }
    facts.push(format!("{} brought in", target.introduced.len()));
    facts.push(format!("{} fixed", target.fixed.len()));
    facts.push(format!("{} left", target.remaining.len()));
    facts.push(format!("{} changed", words::count(target.packages.len(), "package")));
    facts.join(", ")
}

fn fixed(page: &mut Page, changes: &Changes) {
    let gone = groups::gone(changes);
    if gone.is_empty() {
        return;
    }
    page.blank();
    page.line(Paint::Bold, "Fixed");
    for gone in gone {
        let places = groups::suffix(changes, &gone.targets);
        let lead = format!("  {}  ", shortened(gone.package, NAME_WIDTH_MAX));
        page.hanging(Paint::Plain, &lead, &format!("{}{places}", gone.how));
        let ids: Vec<String> =
            gone.findings.iter().map(|finding| format!("{} ({})", finding.id, words::severity(finding))).collect();
        page.hanging(Paint::Plain, "    ", &ids.join(", "));
    }
}

fn inputs(page: &mut Page, changes: &Changes) {
    let mut inputs = changes.targets.iter().flat_map(|target| &target.inputs).peekable();
    if inputs.peek().is_none() {
        return;
    }
    page.blank();
    page.line(Paint::Bold, "Inputs");
    for change in inputs {
        let (before, after) = (groups::input(change.before.as_ref()), groups::input(change.after.as_ref()));
        let said = match (before.is_empty(), after.is_empty()) {
            (true, _) => format!("added, {after}"),
            (_, true) => format!("removed, was {before}"),
            _ => format!("{before} → {after}"),
        };
        page.hanging(Paint::Plain, &format!("  {}  ", shortened(&change.name, NAME_WIDTH_MAX)), &said);
    }
}

fn packages(page: &mut Page, changes: &Changes) {
    let packages = groups::packages(changes);
    if packages.is_empty() {
        return;
    }
    page.blank();
    page.line(Paint::Bold, &format!("Packages ({})", words::count(packages.len(), "change")));
    for (change, targets) in packages.iter().take(PACKAGES_SHOWN) {
        let (before, after) = (groups::versions(&change.before), groups::versions(&change.after));
        let said = match (change.before.is_empty(), change.after.is_empty()) {
            (true, _) => format!("added {after}"),
            (_, true) => format!("removed {before}"),
            _ => format!("{before} → {after}"),
        };
        let places = groups::suffix(changes, targets);
        let lead = format!("  {}  ", shortened(&change.name, NAME_WIDTH_MAX));
        page.hanging(Paint::Plain, &lead, &format!("{said}{places}"));
    }
    let more = packages.len().saturating_sub(PACKAGES_SHOWN);
    if more > 0 {
        page.line(Paint::Plain, &format!("  and {more} more; --json lists them"));
    }
}
