//! The report for a person at a terminal: what was not read, the verdict, then what a rebuild fixes, and what it leaves.

use aux_audit::Verdict;
use aux_core::{Class, Problem};

use super::{Finding, Fixability, Report};
use crate::list::Signature;

/// Problems shown before the rest is counted.
const PROBLEMS_SHOWN: usize = 20;

/// The report as lines, not yet wrapped or made safe to look at.
pub fn text(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    problems(report, &mut lines);
    lines.push(sentence(report));
    lines.push(String::new());
    looked_at(report, &mut lines);
    for fixability in Fixability::ALL {
        part(report, fixability, &mut lines);
    }
    lines.push(String::new());
    lines.push(format!("{} (gate: {})", word(report.verdict), report.fail_on));
    lines
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn all(report: &Report) -> impl Iterator<Item = &Finding> {
    report.images.iter().flat_map(|image| &image.findings)
}

fn of(report: &Report, fixability: Fixability) -> usize {
    all(report).filter(|finding| finding.fixability() == fixability).count()
}

fn sentence(report: &Report) -> String {
    let counts = format!(
        "{} fixable now, {} by a rebase, {} without a known fix",
        of(report, Fixability::Now),
        of(report, Fixability::Rebase),
        of(report, Fixability::None)
    );
    match report.verdict {
        Verdict::Unknown => format!("UNKNOWN: nobody can say; of what was read, {counts}"),
        verdict => format!("{}: {counts}", word(verdict)),
    }
}

fn problems(report: &Report, lines: &mut Vec<String>) {
    let every: Vec<&Problem> =
        report.problems.iter().chain(report.images.iter().flat_map(|image| &image.problems)).collect();
    if every.is_empty() {
        return;
    }
    lines.push(format!("Not read, so not judged ({})", counted(every.len(), "problem", "problems")));
    for problem in every.iter().take(PROBLEMS_SHOWN) {
        lines.push(format!("  ! {}: {}", problem.subject, problem.message));
    }
    if every.len() > PROBLEMS_SHOWN {
        lines.push(format!("  ! and {} more; --json lists them", every.len() - PROBLEMS_SHOWN));
    }
    lines.push(String::new());
}

fn looked_at(report: &Report, lines: &mut Vec<String>) {
    lines.push("Looked at".to_owned());
    for image in &report.images {
        lines.push(format!("  {}: {}", image.name, counted(image.packages, "package", "packages")));
    }
    match &report.list {
        None => lines.push(format!("  with no list: {} was not read", report.list_file)),
        Some(list) => {
            let revision = list.revision.as_deref().unwrap_or("without a number");
            let day = list.committed.map(|moment| moment.strftime(" of %Y-%m-%d").to_string()).unwrap_or_default();
            let entries = counted(list.entries, "entry", "entries");
            lines.push(format!("  with the list's revision {revision}{day}, {entries}"));
            if !matches!(list.signature, Signature::Verified(_)) {
                lines.push(format!("    its signature is {}", list.signature.message()));
            }
        }
    }
    for (position, branch) in report.branches.iter().enumerate() {
        let role = if position == 0 { "the images' own" } else { "newer" };
        let packages =
            branch.packages.map_or_else(|| "not read".to_owned(), |count| counted(count, "package", "packages"));
        lines.push(format!("  branch {}, {role}: {packages}", branch.name));
    }
    match &report.feed {
        Some(feed) => lines.push(format!("  severity by the feed of {}", feed.built.strftime("%Y-%m-%d"))),
        None => lines.push("  no feed, so no severity (--feed)".to_owned()),
    }
}

fn part(report: &Report, fixability: Fixability, lines: &mut Vec<String>) {
    let number = of(report, fixability);
    if number == 0 {
        return;
    }
    lines.push(String::new());
    lines.push(match fixability {
        Fixability::Now => format!("Fixable now: build the image again ({number})"),
        Fixability::Rebase => format!("Fixable by a rebase onto a newer branch ({number})"),
        Fixability::None => format!("No fix known on these branches ({number})"),
    });
    for image in &report.images {
        let mut before = None;
        let indent = if report.images.len() > 1 { "  " } else { "" };
        if report.images.len() > 1 && image.findings.iter().any(|finding| finding.fixability() == fixability) {
            lines.push(format!("  {}", image.name));
        }
        let mut findings: Vec<&Finding> =
            image.findings.iter().filter(|finding| finding.fixability() == fixability).collect();
        // A package's findings stand together, the package with the worst first.
        let place = |finding: &Finding| {
            image.findings.iter().position(|one| one.package == finding.package && one.fix == finding.fix)
        };
        findings.sort_by_key(|finding| place(finding));
        for finding in findings {
            let head = head(finding);
            if before.as_ref() != Some(&head) {
                lines.push(format!("  {indent}{head}"));
            }
            before = Some(head);
            lines.push(format!("    {indent}{}", row(finding)));
        }
    }
}

fn head(finding: &Finding) -> String {
    let package = format!("{} {}", finding.package, finding.version);
    match finding.fix.by() {
        Some(by) if by.package != finding.package => {
            format!("{package} → {} {} ({})", by.package, by.version, by.branch)
        }
        Some(by) => format!("{package} → {} ({})", by.version, by.branch),
        None => package,
    }
}

fn row(finding: &Finding) -> String {
    let name = if finding.ids.is_empty() { finding.url.clone() } else { finding.ids.join(" ") };
    let mut row = format!("{name}: {}", finding.kind);
    if let Some(known) = finding.known {
        let score = known.score.map(|score| format!(" {score}")).unwrap_or_default();
        row = format!("{row}, {}{score}", finding.severity().as_str());
        if known.kev {
            row += ", exploited";
        }
        if known.class != Class::Unclassified {
            row = format!("{row}, class {}", known.class.as_str());
        }
    }
    row
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
