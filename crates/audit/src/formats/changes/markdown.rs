//! What an update changed, as a comment on the pull request that makes it: security first.

use std::fmt::Write as _;

use aux_core::{Finding, TargetKind};

use super::groups;
use crate::formats::{escape, group, markdown, words};
use crate::{Changes, Presence};

/// Rows of one table before the rest is counted.
const ROWS_SHOWN: usize = 60;
/// Bytes after which a folded list is only counted: code hosts refuse comments of more than 65 536 characters.
const COMMENT_BYTES: usize = 50_000;
/// Ids named in one cell.
const IDS_SHOWN: usize = 12;

/// Writes the changes as GitHub-flavoured Markdown.
pub fn render(changes: &Changes) -> String {
    let mut text = String::new();
    let (word, sentence) = super::verdict(changes);
    let _ = writeln!(text, "### Update: {word}\n\n{}.\n", escape::markdown(&sentence));
    problems(&mut text, changes);
    let introduced = changes.introduced();
    if introduced.targets.iter().any(|target| !target.findings.is_empty()) {
        text.push_str("**Brought in**\n\n");
        markdown::rows(&mut text, &introduced, |_: &Finding| true);
    }
    fixed(&mut text, changes);
    targets(&mut text, changes);
    inputs(&mut text, changes);
    packages(&mut text, changes);
    let (since, gate) = (escape::markdown(&changes.since), escape::markdown(&super::gate(changes)));
    let _ = writeln!(text, "Compared with {since} by {}. Gate: {gate}.", words::feed(&changes.now));
    text
}

fn problems(text: &mut String, changes: &Changes) {
    let all: Vec<_> = changes.targets.iter().flat_map(|target| &target.problems).collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "**Not read, so not judged ({})**\n", words::count(all.len(), "problem"));
    for problem in all.iter().take(ROWS_SHOWN) {
        let _ = writeln!(text, "- {}: {}", escape::markdown(&problem.subject), escape::markdown(&problem.message));
    }
    more(text, all.len(), "- ");
    text.push('\n');
}

fn more(text: &mut String, number: usize, lead: &str) {
    if number > ROWS_SHOWN {
        let _ = writeln!(text, "{lead}and {} more: see the JSON report", number - ROWS_SHOWN);
    }
}

fn fixed(text: &mut String, changes: &Changes) {
    let gone = groups::gone(changes);
    if gone.is_empty() {
        return;
    }
    text.push_str("**Fixed**\n\n| Worst | Package | How | Advisories | Where |\n|---|---|---|---|---|\n");
    for gone in gone.iter().take(ROWS_SHOWN) {
        let worst = gone.findings.first().map(|finding| words::severity(finding)).unwrap_or_default();
        let is_grave = gone.findings.iter().any(|finding| group::is_never_hidden(finding));
        let worst = if is_grave { format!("**{worst}**") } else { worst };
        let mut ids: Vec<String> =
            gone.findings.iter().take(IDS_SHOWN).map(|finding| markdown::advisory(&finding.id)).collect();
        if gone.findings.len() > IDS_SHOWN {
            ids.push(format!("and {} more", gone.findings.len() - IDS_SHOWN));
        }
        let _ = writeln!(
            text,
            "| {worst} | {} | {} | {} | {} |",
            escape::markdown(gone.package),
            escape::markdown(gone.how),
            ids.join(", "),
            escape::markdown(&groups::places(changes, &gone.targets)),
        );
    }
    text.push('\n');
    more(text, gone.len(), "");
}

fn targets(text: &mut String, changes: &Changes) {
    text.push_str("| Machine | Brought in | Fixed | Left | Packages changed |\n|---|---|---|---|---|\n");
    let rows: Vec<_> = changes.targets.iter().filter(|target| target.kind != TargetKind::FlakeLock).collect();
    for target in rows.iter().take(ROWS_SHOWN) {
        let mut name = escape::markdown(groups::short(changes, &target.name));
        let word = super::presence(target.presence);
        if !word.is_empty() {
            let _ = write!(name, " ({word})");
        }
        let (introduced, fixed, left) = (target.introduced.len(), target.fixed.len(), target.remaining.len());
        let packages = target.packages.len();
        let _ = match target.presence {
            // What was not compared has no numbers, and a dash is no zero.
            Presence::NotCompared => writeln!(text, "| {name} | – | – | – | – |"),
            _ => writeln!(text, "| {name} | {introduced} | {fixed} | {left} | {packages} |"),
        };
    }
    text.push('\n');
    more(text, rows.len(), "");
}

fn inputs(text: &mut String, changes: &Changes) {
    let inputs: Vec<_> = changes.targets.iter().flat_map(|target| &target.inputs).collect();
    if inputs.is_empty() {
        return;
    }
    text.push_str("| Input | Before | After |\n|---|---|---|\n");
    for change in inputs.iter().take(ROWS_SHOWN) {
        let side = |input| match groups::input(input) {
            facts if facts.is_empty() => "–".to_owned(),
            facts => escape::markdown(&facts),
        };
        let (before, after) = (side(change.before.as_ref()), side(change.after.as_ref()));
        let _ = writeln!(text, "| {} | {before} | {after} |", escape::markdown(&change.name));
    }
    text.push('\n');
    more(text, inputs.len(), "");
}

fn packages(text: &mut String, changes: &Changes) {
    let packages = groups::packages(changes);
    if packages.is_empty() {
        return;
    }
    let number = words::count(packages.len(), "package change");
    let mut table =
        format!("<details><summary>{number}</summary>\n\n| Package | Before | After | Where |\n|---|---|---|---|\n");
    let mut shown = 0;
    for (change, targets) in &packages {
        if text.len() + table.len() > COMMENT_BYTES {
            break;
        }
        let side = |versions: &[String]| match versions {
            [] => "–".to_owned(),
            versions => escape::markdown(&groups::versions(versions)),
        };
        let (before, after) = (side(&change.before), side(&change.after));
        let place = escape::markdown(&groups::places(changes, targets));
        let _ = writeln!(table, "| {} | {before} | {after} | {place} |", escape::markdown(&change.name));
        shown += 1;
    }
    if packages.len() > shown {
        let _ = writeln!(table, "\nand {} more: see the JSON report", packages.len() - shown);
    }
    let _ = writeln!(text, "{table}\n</details>\n");
}
