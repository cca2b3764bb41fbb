//! The affected ranges that a CVE JSON 5 product's version statuses add up to (CVE schema documentation, "versions.md").

use std::cmp::Ordering;
use std::collections::BTreeSet;

use aux_core::version::{self, Scheme};
use serde::Deserialize;

use crate::document::or_default;
use crate::prose;
use crate::record::{Bound, VersionRange};

/// Unaffected pieces cut out of one product's ranges; the kernel, which has the most, stays far below a hundred.
const CUTS_MAX: usize = 256;

/// Ranges that a listed version is compared with before it is simply kept.
const RANGES_COMPARED_MAX: usize = 64;

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Affected,
    Unaffected,
    /// Also what a source says that says nothing.
    #[serde(other)]
    Unknown,
}

/// One statement about a version or a range of versions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionEntry {
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    status: Status,
    #[serde(default, deserialize_with = "or_default")]
    version_type: String,
    less_than: Option<String>,
    less_than_or_equal: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    at: String,
    status: Status,
}

/// What the statements say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Nothing and not `is_unaffected`: nobody can tell.
    pub(crate) affected: Vec<VersionRange>,
    pub(crate) fixed: Vec<String>,
    /// The source says that no version is affected.
    pub(crate) is_unaffected: bool,
}

/// Adds up the statements: the default, and what is affected, without what is not.
///
/// The schema wants no version to match twice. Where one does all the same, the statement about that one version wins
/// over a range, and "unaffected" over "affected".
pub(crate) fn judge(default: Status, entries: &[VersionEntry], scheme: Scheme) -> Verdict {
    let mut sum = Sum::default();
    let readable = entries.iter().filter(|entry| entry.version_type != "git");
    for entry in readable {
        entry.add(&mut sum);
    }
    let says_versions = !sum.is_empty();
    if default == Status::Affected && (says_versions || entries.is_empty()) {
        sum.ranges.push(VersionRange::ALL);
    }
    let mut affected = sum.ranges;
    for cut in sum.cuts.iter().take(CUTS_MAX) {
        affected = affected.into_iter().flat_map(|range| without(scheme, range, cut)).collect();
    }
    let covered = affected.len().min(RANGES_COMPARED_MAX);
    for point in sum.points {
        let ranges = affected.get(..covered).unwrap_or_default();
        if !ranges.iter().any(|range| range.holds(scheme, &point) == Some(true)) {
            affected.push(VersionRange::exactly(point));
        }
    }
    affected.sort();
    affected.dedup();
    let mut fixed: Vec<String> = crate::configuration::fixed_versions(&affected);
    fixed.retain(|version| sum.named.contains(version));
    let says_all = default == Status::Unaffected || (default == Status::Affected && says_versions);
    Verdict { is_unaffected: says_all && affected.is_empty() && !sum.is_unclear, affected, fixed }
}

#[derive(Default)]
struct Sum {
    ranges: Vec<VersionRange>,
    points: Vec<String>,
    cuts: Vec<VersionRange>,
    /// Versions that stand in the document, which a computed bound need not.
    named: BTreeSet<String>,
    /// An affected statement could not be read.
    is_unclear: bool,
}

impl Sum {
    fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.points.is_empty() && self.cuts.is_empty()
    }

    fn add(&mut self, status: Status, range: VersionRange) {
        self.named.extend(range.low.version().map(str::to_owned));
        match (status, &range.low) {
            (Status::Affected, Bound::Including(version)) if range.is_exact() => self.points.push(version.clone()),
            (Status::Affected, _) => self.ranges.push(range),
            (Status::Unaffected, _) => self.cuts.push(range),
            (Status::Unknown, _) => {}
        }
    }
}

impl VersionEntry {
    fn add(&self, sum: &mut Sum) {
        let end = match (&self.less_than, &self.less_than_or_equal) {
            (Some(end), _) => upper(end, true),
            (None, Some(end)) => upper(end, false),
            (None, None) => {
                let ranges = stated(&self.version);
                sum.is_unclear |= ranges.is_empty() && self.status == Status::Affected;
                for range in ranges {
                    // `< 1.2` in words names its fix as clearly as a field does.
                    sum.named.extend(range.high.version().map(str::to_owned));
                    sum.add(self.status, range);
                }
                return;
            }
        };
        sum.named.extend(self.less_than.clone());
        let mut low = lower(&self.version);
        let mut status = self.status;
        for change in &self.changes {
            sum.named.insert(change.at.clone());
            sum.add(status, VersionRange { low, high: Bound::Excluding(change.at.clone()) });
            low = Bound::Including(change.at.clone());
            status = change.status;
        }
        sum.add(status, VersionRange { low, high: end });
    }
}

fn lower(version: &str) -> Bound {
    let version = version.trim();
    if is_open(version) || version == "0" { Bound::Open } else { Bound::Including(version.to_owned()) }
}

/// The end of a range; `5.10.*` is the end of that branch whether it is included or not, `*` the end of all.
fn upper(version: &str, excluding: bool) -> Bound {
    let version = version.trim();
    if is_open(version) {
        Bound::Open
    } else if let Some(next) = branch(version).and_then(after_branch) {
        Bound::Excluding(next)
    } else if excluding {
        Bound::Excluding(version.to_owned())
    } else {
        Bound::Including(version.to_owned())
    }
}

/// Words that stand for no particular version.
fn is_open(version: &str) -> bool {
    ["", "*", "-", "n/a", "unspecified", "all", "all versions", "any"]
        .iter()
        .any(|word| version.eq_ignore_ascii_case(word))
}

/// `5.10` of `5.10.*` or `5.10.x`.
fn branch(version: &str) -> Option<&str> {
    [".*", ".x", ".X"].iter().find_map(|wildcard| version.strip_suffix(wildcard))
}

/// `5.11` for `5.10`.
fn after_branch(branch: &str) -> Option<String> {
    let (stem, last) = branch.rsplit_once('.').map_or(("", branch), |(stem, last)| (stem, last));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    Some(if stem.is_empty() { next.to_string() } else { format!("{stem}.{next}") })
}

/// What a lone `version` means: one version, a branch, or a phrase that people typed into the field.
fn stated(text: &str) -> Vec<VersionRange> {
    let text = text.trim();
    if text == "*" || text.eq_ignore_ascii_case("all") || text.eq_ignore_ascii_case("all versions") {
        return vec![VersionRange::ALL];
    }
    if is_open(text) {
        return Vec::new();
    }
    if let Some(branch) = branch(text)
        && let Some(next) = after_branch(branch)
    {
        return vec![VersionRange { low: Bound::Including(branch.to_owned()), high: Bound::Excluding(next) }];
    }
    if text.starts_with(['<', '>', '=']) {
        return VersionRange::read(text).into_iter().collect();
    }
    if !text.contains(char::is_whitespace) && !text.contains(',') {
        return vec![VersionRange::exactly(text)];
    }
    let bounds = prose::bounds(text);
    if !bounds.is_empty() {
        return prose::by_branch(bounds.into_iter().map(|stated| stated.range).collect());
    }
    // A list of versions in one field; a single word that is none makes all of it unreadable.
    let pieces: Vec<&str> = text.split([',', ';']).map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let is_list = pieces.iter().all(|piece| !piece.contains(char::is_whitespace) && version::is_orderable(piece));
    if is_list { pieces.into_iter().map(VersionRange::exactly).collect() } else { Vec::new() }
}

/// `range` without `cut`: at most a piece below and a piece above it. What cannot be ordered stays.
fn without(scheme: Scheme, range: VersionRange, cut: &VersionRange) -> Vec<VersionRange> {
    let below = VersionRange { low: range.low.clone(), high: end_before(&cut.low) };
    let above = VersionRange { low: begin_after(&cut.high), high: range.high.clone() };
    let (Some(is_disjoint), Some(is_below), Some(is_above)) = (
        is_apart(scheme, &range, cut),
        cut.low.version().map_or(Some(false), |_| is_some_range(scheme, &below)),
        cut.high.version().map_or(Some(false), |_| is_some_range(scheme, &above)),
    ) else {
        return vec![range];
    };
    if is_disjoint {
        return vec![range];
    }
    let mut pieces = Vec::new();
    pieces.extend(is_below.then_some(below));
    pieces.extend(is_above.then_some(above));
    pieces
}

fn end_before(low: &Bound) -> Bound {
    match low {
        Bound::Open => Bound::Open,
        Bound::Including(version) => Bound::Excluding(version.clone()),
        Bound::Excluding(version) => Bound::Including(version.clone()),
    }
}

fn begin_after(high: &Bound) -> Bound {
    end_before(high)
}

/// Whether one ends before the other begins.
fn is_apart(scheme: Scheme, one: &VersionRange, other: &VersionRange) -> Option<bool> {
    let joint =
        |low: &Bound, high: &Bound| is_some_range(scheme, &VersionRange { low: low.clone(), high: high.clone() });
    Some(!joint(&one.low, &other.high)? || !joint(&other.low, &one.high)?)
}

/// Whether any version can lie within; `None` where its ends cannot be ordered.
fn is_some_range(scheme: Scheme, range: &VersionRange) -> Option<bool> {
    let (Some(low), Some(high)) = (range.low.version(), range.high.version()) else { return Some(true) };
    Some(match version::compare(scheme, low, high)? {
        Ordering::Less => true,
        Ordering::Equal => matches!((&range.low, &range.high), (Bound::Including(_), Bound::Including(_))),
        Ordering::Greater => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(default: Status, entries: &str) -> Verdict {
        judge(default, &serde_json::from_str::<Vec<VersionEntry>>(entries).unwrap(), Scheme::Generic)
    }

    fn shown(default: Status, entries: &str) -> String {
        judged(default, entries).affected.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn ranges_end_where_they_say() {
        for (entries, expected) in [
            (r#"[{"version":"1.0.2","lessThan":"1.0.2zi","status":"affected"}]"#, ">= 1.0.2, < 1.0.2zi"),
            (r#"[{"version":"3.0.0","lessThanOrEqual":"3.0.7","status":"affected"}]"#, ">= 3.0.0, <= 3.0.7"),
            (r#"[{"version":"2","lessThan":"*","status":"affected"}]"#, ">= 2"),
            (r#"[{"version":"0","lessThan":"2","status":"affected"}]"#, "< 2"),
            (r#"[{"version":"5.10","lessThanOrEqual":"5.10.*","status":"affected"}]"#, ">= 5.10, < 5.11"),
            (r#"[{"version":"unspecified","lessThan":"2","status":"affected"}]"#, "< 2"),
            (r#"[{"version":"1.1","status":"affected"},{"version":"1.2","status":"affected"}]"#, "= 1.1 | = 1.2"),
            (r#"[{"version":"abc123def","lessThan":"fed321cba","status":"affected","versionType":"git"}]"#, ""),
        ] {
            assert_eq!(shown(Status::Unaffected, entries), expected, "{entries}");
        }
    }

    #[test]
    fn words_in_the_version_field_are_read() {
        for (version, expected) in [
            ("before 1.2.3", "< 1.2.3"),
            ("1.2.3 and earlier", "<= 1.2.3"),
            (">= 1.0, < 1.2", ">= 1.0, < 1.2"),
            ("1.2.x", ">= 1.2, < 1.3"),
            ("1.0, 1.1", "= 1.0 | = 1.1"),
            ("n/a", ""),
            ("see the advisory", ""),
        ] {
            let entries = format!(r#"[{{"version":"{version}","status":"affected"}}]"#);
            assert_eq!(shown(Status::Unknown, &entries), expected, "{version}");
        }
    }

    #[test]
    fn what_is_unaffected_is_cut_out() {
        let kernel = r#"[{"version":"4.2","status":"affected"},
            {"version":"0","lessThan":"4.2","status":"unaffected","versionType":"semver"},
            {"version":"5.10.200","lessThanOrEqual":"5.10.*","status":"unaffected","versionType":"semver"},
            {"version":"6.7","lessThanOrEqual":"*","status":"unaffected","versionType":"original_commit_for_fix"}]"#;
        assert_eq!(shown(Status::Affected, kernel), ">= 4.2, < 5.10.200 | >= 5.11, < 6.7");
        assert_eq!(judged(Status::Affected, kernel).fixed, ["5.10.200", "6.7"]);
        let changed = r#"[{"version":"1.0","lessThan":"2.0","status":"affected",
            "changes":[{"at":"1.5","status":"unaffected"},{"at":"1.7","status":"affected"}]},
            {"version":"1.2.3","status":"unaffected"}]"#;
        assert_eq!(shown(Status::Unaffected, changed), ">= 1.0, < 1.2.3 | >= 1.7, < 2.0 | > 1.2.3, < 1.5");
    }

    #[test]
    fn silence_is_unknown_and_a_clean_bill_is_not() {
        assert_eq!(judged(Status::Unknown, "[]"), Verdict::default());
        assert!(judged(Status::Unaffected, "[]").is_unaffected);
        assert_eq!(shown(Status::Affected, "[]"), "every version");
        assert!(!judged(Status::Unaffected, r#"[{"version":"n/a","status":"affected"}]"#).is_unaffected);
        let unaffected = r#"[{"version":"1","lessThan":"*","status":"unaffected"}]"#;
        assert!(!judged(Status::Unknown, unaffected).is_unaffected);
        assert!(judged(Status::Unaffected, unaffected).is_unaffected);
    }
}
