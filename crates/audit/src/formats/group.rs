//! Findings grouped by package and sorted worst first, the same way for every format that people read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aux_core::{Class, Finding, Package, Score, Severity};

use crate::{Report, TargetReport};

/// One package at one version, with what was found in it wherever it stands.
pub(super) struct Group<'a> {
    pub(super) package: &'a Package,
    /// Worst first, one for each advisory.
    pub(super) rows: Vec<Row<'a>>,
    /// One for each target that has the package, in the order of the targets.
    pub(super) places: Vec<Place<'a>>,
}

/// One advisory on the package of a group.
pub(super) struct Row<'a> {
    pub(super) finding: &'a Finding,
    /// The targets it was found in, by their position.
    pub(super) targets: Vec<usize>,
}

/// Where a package stands.
pub(super) struct Place<'a> {
    /// The position of its target in the report.
    pub(super) index: usize,
    pub(super) target: &'a TargetReport,
    /// A finding of the package there: it knows the scope and the path.
    pub(super) finding: &'a Finding,
}

/// The findings of all targets that are `wanted`, grouped by package, the worst package first.
pub(super) fn by_package(report: &Report, wanted: impl Fn(&Finding) -> bool) -> Vec<Group<'_>> {
    grouped(report.targets.iter().enumerate(), wanted)
}

/// The findings of one target that are `wanted`, grouped by package, the worst package first.
pub(super) fn in_target(target: &TargetReport, wanted: impl Fn(&Finding) -> bool) -> Vec<Group<'_>> {
    grouped(std::iter::once((0, target)), wanted)
}

fn grouped<'a>(
    targets: impl Iterator<Item = (usize, &'a TargetReport)>,
    wanted: impl Fn(&Finding) -> bool,
) -> Vec<Group<'a>> {
    let mut packages: BTreeMap<&Package, (BTreeMap<&str, Row<'a>>, Vec<Place<'a>>)> = BTreeMap::new();
    for (index, target) in targets {
        for finding in target.findings.iter().filter(|finding| wanted(finding)) {
            let (rows, places) = packages.entry(&finding.package).or_default();
            let row = rows.entry(&finding.id).or_insert_with(|| Row { finding, targets: Vec::new() });
            if row.targets.last() != Some(&index) {
                row.targets.push(index);
            }
            if places.last().is_none_or(|place| place.index != index) {
                places.push(Place { index, target, finding });
            }
        }
    }
    let mut groups: Vec<_> = packages
        .into_iter()
        .map(|(package, (rows, places))| {
            let mut rows: Vec<_> = rows.into_values().collect();
            rows.sort_by_key(|row| rank(row.finding));
            Group { package, rows, places }
        })
        .collect();
    // The sort is stable: packages equally bad stay in the order of their names.
    groups.sort_by_key(|group| group.rows.first().map(|row| alarm(row.finding)));
    groups
}

type Alarm = Reverse<(Class, bool, u8, Option<Score>)>;

/// The order in which people should look: the team's class, then what is exploited, then the score; the id decides ties.
pub(super) fn rank(finding: &Finding) -> (Alarm, &str) {
    (alarm(finding), &finding.id)
}

fn alarm(finding: &Finding) -> Alarm {
    // What nobody has scored is not presumed harmless: it stands between medium and low.
    let severity = match finding.severity {
        Severity::Critical => 5,
        Severity::High => 4,
        Severity::Medium => 3,
        Severity::Unknown => 2,
        Severity::Low => 1,
        Severity::None => 0,
    };
    Reverse((finding.class, finding.kev, severity, finding.score))
}

/// What no format may leave out for brevity.
pub(super) fn is_never_hidden(finding: &Finding) -> bool {
    finding.kev || finding.class == Class::Critical || finding.severity == Severity::Critical
}

/// The rows of a package by how much room they get.
pub(super) struct Shown<'a> {
    /// A line each: what the team calls critical, what is exploited, and the worst of the rest up to the limit.
    pub(super) rows: Vec<&'a Row<'a>>,
    /// Named by their ids: critical, but beyond the limit.
    pub(super) named: Vec<&'a Row<'a>>,
    /// Only counted.
    pub(super) counted: Vec<&'a Row<'a>>,
}

/// Gives about `limit` rows a line each, and names what may never be hidden.
pub(super) fn shown<'a>(rows: &'a [Row<'a>], limit: usize) -> Shown<'a> {
    // A line that says "and 1 more" is no shorter than the one it replaces.
    let limit = if rows.len() == limit + 1 { rows.len() } else { limit };
    let has_own_line = |row: &Row<'_>| row.finding.kev || row.finding.class == Class::Critical;
    let mut room = limit.saturating_sub(rows.iter().filter(|row| has_own_line(row)).count());
    let mut shown = Shown { rows: Vec::new(), named: Vec::new(), counted: Vec::new() };
    for row in rows {
        if has_own_line(row) {
            shown.rows.push(row);
        } else if room > 0 {
            room -= 1;
            shown.rows.push(row);
        } else if is_never_hidden(row.finding) {
            shown.named.push(row);
        } else {
            shown.counted.push(row);
        }
    }
    shown
}

/// The ids of rows, separated by commas.
pub(super) fn ids(rows: &[&Row<'_>]) -> String {
    let ids: Vec<&str> = rows.iter().map(|row| row.finding.id.as_str()).collect();
    ids.join(", ")
}
