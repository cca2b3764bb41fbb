//! Configuration checks in Markdown: a table of what failed, the lines that fix it and what was not seen folded away.

use std::fmt::Write as _;

use aux_core::{CheckResult, CheckState};

use super::{COMMENT_BYTES, LINES_SHOWN, ROWS_SHOWN};
use crate::formats::{escape, words};
use crate::{Report, TargetReport};

type Row<'a> = (&'a TargetReport, &'a CheckResult);

pub(super) fn write(text: &mut String, report: &Report) {
    let all =
        || report.targets.iter().flat_map(|target| target.checks.iter().flatten().map(move |check| (target, check)));
    let failed: Vec<Row<'_>> = all().filter(|(_, check)| check.is_alarm()).collect();
    let unseen = |check: &CheckResult| check.state == CheckState::Unknown && check.waived.is_none();
    if !failed.is_empty() {
        text.push_str("| Severity | Check | Seen | Where |\n|---|---|---|---|\n");
        for row in failed.iter().take(ROWS_SHOWN) {
            line(text, *row);
        }
        super::more(text, failed.len(), ROWS_SHOWN);
        text.push('\n');
        fixes(text, &failed);
    }
    folded(text, "checks not seen", &all().filter(|(_, check)| unseen(check)).collect::<Vec<_>>());
    folded(text, "checks waived", &all().filter(|(_, check)| check.waived.is_some()).collect::<Vec<_>>());
}

fn link(check: &CheckResult) -> String {
    format!("[{}]({}) {}", check.id, words::check_page(check), escape::markdown(check.title))
}

fn line(text: &mut String, (target, check): Row<'_>) {
    let (seen, place) = (escape::markdown(&words::check_reason(check)), escape::markdown(&target.name));
    let _ = writeln!(text, "| {} | {} | {seen} | {place} |", check.severity.as_str(), link(check));
}

/// Each failed check's lines once, however many targets it failed on.
fn fixes(text: &mut String, failed: &[Row<'_>]) {
    if text.len() > COMMENT_BYTES {
        return;
    }
    let mut checks: Vec<&CheckResult> = failed.iter().map(|(_, check)| *check).collect();
    checks.sort_by_key(|check| check.id);
    checks.dedup_by_key(|check| check.id);
    let _ = writeln!(text, "<details><summary>What fixes {}</summary>\n", words::count(checks.len(), "check"));
    for check in checks {
        let _ = writeln!(text, "{}\n\n```nix\n{}\n```\n", link(check), check.fix);
    }
    text.push_str("</details>\n\n");
}

fn folded(text: &mut String, word: &str, rows: &[Row<'_>]) {
    if rows.is_empty() {
        return;
    }
    if text.len() > COMMENT_BYTES {
        let _ = writeln!(text, "{} {word}: see the JSON report.\n", rows.len());
        return;
    }
    let _ = writeln!(text, "<details><summary>{} {word}</summary>\n", rows.len());
    for (target, check) in rows.iter().take(LINES_SHOWN) {
        let (place, reason) = (escape::markdown(&target.name), escape::markdown(&words::check_reason(check)));
        let _ = writeln!(text, "- {} in {place}: {reason}", link(check));
    }
    super::more(text, rows.len(), LINES_SHOWN);
    text.push_str("\n</details>\n\n");
}
