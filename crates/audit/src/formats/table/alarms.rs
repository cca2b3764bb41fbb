//! The alarms of the table: a header for each package, and below it one row for each advisory, worst first.

use aux_core::{Finding, Package, Scope};

use crate::Report;
use crate::formats::group::{self, Group, Place, Row};
use crate::formats::page::{Page, Paint, shortened, width_of};
use crate::formats::{machines, words};

/// Rows shown of one package; what is critical or exploited is shown beyond it.
const ROWS_SHOWN: usize = 8;
/// Targets named under one package before the rest is counted.
const PLACES_SHOWN: usize = 4;
/// Columns an id may take, more than any id of a known database needs.
const ID_WIDTH_MAX: usize = 24;
/// Columns of a package name or version, and of one label of a path.
const NAME_WIDTH_MAX: usize = 36;
const LABEL_WIDTH_MAX: usize = 28;
const ARROW: &str = " › ";

pub(in crate::formats) fn write(page: &mut Page, report: &Report, wanted: impl Fn(&Finding) -> bool) {
    for group in group::by_package(report, wanted) {
        page.blank();
        header(page, &group);
        let shown = group::shown(&group.rows, ROWS_SHOWN);
        for place in group.places.iter().take(PLACES_SHOWN) {
            let name = machines::short(report, &place.target.name);
            self::place(page, place, Some(name).filter(|_| report.targets.len() > 1));
        }
        let more = group.places.len().saturating_sub(PLACES_SHOWN);
        if more > 0 {
            page.line(Paint::Plain, &format!("  in {} more", words::count(more, "target")));
        }
        let width = shown.rows.iter().map(|row| width_of(&row.finding.id)).max().unwrap_or_default().min(ID_WIDTH_MAX);
        for row in &shown.rows {
            self::row(page, row, &group, width);
        }
        if !shown.named.is_empty() {
            page.line(Paint::Red, &format!("  also critical ({}):", shown.named.len()));
            page.hanging(Paint::Plain, "    ", &group::ids(&shown.named));
        }
        if let Some(first) = shown.counted.first() {
            let severities = words::severities(shown.counted.iter().map(|row| row.finding));
            let how = format!("--json or --explain {}", first.finding.id);
            page.hanging(Paint::Plain, "  ", &format!("and {} more ({severities}): {how}", shown.counted.len()));
        }
    }
}

/// `openssl 3.0.13`, each part cut where it is absurdly long.
pub(super) fn package(package: &Package) -> String {
    let name = shortened(&package.name, NAME_WIDTH_MAX);
    if package.version.is_empty() {
        return format!("{name} (no version)");
    }
    format!("{name} {}", shortened(&package.version, NAME_WIDTH_MAX))
}

fn header(page: &mut Page, group: &Group<'_>) {
    let mut alarms = words::count(group.rows.len(), "alarm");
    // Rows that are all in sight count themselves.
    if group.rows.len() > ROWS_SHOWN {
        alarms = format!("{alarms}: {}", words::severities(group.rows.iter().map(|row| row.finding)));
    }
    page.hanging(Paint::Bold, &format!("{}  ", package(group.package)), &alarms);
}

/// Where it stands: `runtime: system › nginx › openssl`, after the target where there are several.
fn place(page: &mut Page, place: &Place<'_>, name: Option<&str>) {
    let mut facts = Vec::new();
    if let Some(name) = name {
        facts.push(format!("in {}", shortened(name, super::NAME_WIDTH_MAX)));
    }
    match place.finding.scope {
        Scope::Runtime => facts.push("runtime".to_owned()),
        Scope::Build => facts.push("build only".to_owned()),
        Scope::Unknown => {}
    }
    let facts = facts.join(", ");
    let labels = &place.finding.path;
    if labels.len() < 2 {
        if !facts.is_empty() {
            page.hanging(Paint::Plain, "  ", &facts);
        }
        return;
    }
    let lead = if facts.is_empty() { "  ".to_owned() } else { format!("  {facts}: ") };
    let whole = path(labels, usize::MAX);
    if width_of(&lead) + width_of(&whole) <= page.width() {
        page.hanging(Paint::Plain, &lead, &whole);
        return;
    }
    if !facts.is_empty() {
        page.hanging(Paint::Plain, "  ", &facts);
    }
    page.hanging(Paint::Plain, "    ", &path(labels, page.width() - 4));
}

/// A path cut in its middle: the root stays, and as much of the end as fits.
fn path(labels: &[String], room: usize) -> String {
    let labels: Vec<String> = labels.iter().map(|label| shortened(label, LABEL_WIDTH_MAX)).collect();
    let whole = labels.join(ARROW);
    if width_of(&whole) <= room {
        return whole;
    }
    let Some((root, rest)) = labels.split_first() else { return whole };
    let mut left = room.saturating_sub(width_of(root) + width_of("…") + 2 * width_of(ARROW));
    let mut tail: Vec<&str> = Vec::new();
    for label in rest.iter().rev() {
        let needed = width_of(label) + width_of(ARROW);
        // The component itself is always named; its line wraps if it must.
        if needed > left && !tail.is_empty() {
            break;
        }
        left = left.saturating_sub(needed);
        tail.push(label);
    }
    tail.reverse();
    format!("{root}{ARROW}…{ARROW}{}", tail.join(ARROW))
}

fn row(page: &mut Page, row: &Row<'_>, group: &Group<'_>, id_width: usize) {
    let finding = row.finding;
    let score = finding.score.map_or_else(|| "-".to_owned(), |score| score.to_string());
    let id = shortened(&finding.id, ID_WIDTH_MAX);
    let lead = format!("  {:<8} {score:>4}  {id:<id_width$}  ", finding.severity.as_str());
    let mut remarks = words::marks(finding);
    remarks.push(words::fix(finding));
    if row.targets.len() < group.places.len() {
        remarks.push(format!("in {} of {} targets", row.targets.len(), group.places.len()));
    }
    let paint = if group::is_never_hidden(finding) {
        Paint::Red
    } else if finding.severity == aux_core::Severity::High {
        Paint::Yellow
    } else {
        Paint::Plain
    };
    page.hanging(paint, &lead, &remarks.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_keeps_its_root_and_its_end() {
        let labels: Vec<String> = ["system", "desktop", "browser", "library", "zlib"].map(str::to_owned).into();
        assert_eq!(path(&labels, 80), "system › desktop › browser › library › zlib");
        assert_eq!(path(&labels, 32), "system › … › library › zlib");
        assert_eq!(path(&labels, 5), "system › … › zlib");
    }
}
