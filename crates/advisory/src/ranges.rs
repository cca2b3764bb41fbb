//! Lists of single versions become intervals: smaller, and right about the versions between that nobody listed.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use aux_core::version::{self, Scheme};

use crate::record::{Affected, Bound, Product, Record, VersionRange};

/// Every version any advisory names for a product, in order.
type Known = BTreeMap<Product, Vec<String>>;

/// Folds the listed single versions of every record.
///
/// Two listed versions become one interval when no version that any advisory names for the product lies between them
/// and both belong to one branch (they differ in the last number only). Across branches nothing is inferred: between
/// `2.4.9` and `2.6.0` there may be a `2.4.10` that is fixed.
pub fn fold_points(records: &mut [Record]) {
    let known = known_versions(records);
    for entry in records.iter_mut().flat_map(|record| &mut record.affected) {
        let known = known.get(&entry.product).map_or(&[][..], Vec::as_slice);
        fold_entry(entry, known);
    }
}

/// "Up to X" beside a list of single versions means the versions of the list: it begins where the list begins.
///
/// Such records were written when a list of every affected version was the rule; `<= 5.5.13` beside `5.5.0 … 5.5.12`
/// says nothing of 5.4. A list of one or two versions is no such list.
pub fn bounded_by_list(mut versions: Vec<VersionRange>) -> Vec<VersionRange> {
    const LIST: usize = 3;
    let points: Vec<&str> = versions
        .iter()
        .filter(|range| range.is_exact() && is_orderable(range))
        .filter_map(|range| range.low.version())
        .collect();
    if points.len() < LIST {
        return versions;
    }
    let Some(lowest) =
        points.into_iter().min_by(|left, right| version::sort(Scheme::Generic, left, right)).map(str::to_owned)
    else {
        return versions;
    };
    for range in &mut versions {
        if range.low == Bound::Open && matches!(range.high, Bound::Including(_)) {
            range.low = Bound::Including(lowest.clone());
        }
    }
    versions
}

fn known_versions(records: &[Record]) -> Known {
    let mut known: BTreeMap<&Product, Vec<&str>> = BTreeMap::new();
    for entry in records.iter().flat_map(|record| &record.affected).filter(|entry| entry.scheme == Scheme::Generic) {
        let versions = known.entry(&entry.product).or_default();
        for range in &entry.versions {
            versions.extend(range.low.version());
            versions.extend(range.high.version());
        }
    }
    known
        .into_iter()
        .map(|(product, mut versions)| {
            versions.retain(|version| version::is_orderable(version));
            versions.sort_unstable_by(|left, right| version::sort(Scheme::Generic, left, right));
            versions.dedup_by(|left, right| is_same(left, right));
            (product.clone(), versions.into_iter().map(str::to_owned).collect())
        })
        .collect()
}

/// Two spellings of one version: `1.0` and `1.0.0`.
fn is_same(left: &str, right: &str) -> bool {
    version::compare(Scheme::Generic, left, right) == Some(Ordering::Equal)
}

/// Where a version stands among the known ones, whichever spelling was kept there.
fn position(known: &[String], version: &str) -> Option<usize> {
    let at = known.partition_point(|known| version::sort(Scheme::Generic, known, version).is_lt());
    [Some(at), at.checked_sub(1)]
        .into_iter()
        .flatten()
        .find(|at| known.get(*at).is_some_and(|known| is_same(known, version)))
}

fn fold_entry(entry: &mut Affected, known: &[String]) {
    if entry.scheme != Scheme::Generic {
        entry.versions.sort();
        entry.versions.dedup();
        return;
    }
    let (points, mut ranges): (Vec<_>, Vec<_>) =
        std::mem::take(&mut entry.versions).into_iter().partition(|range| range.is_exact() && is_orderable(range));
    ranges.sort();
    ranges.dedup();
    let mut positions: Vec<usize> =
        points.iter().filter_map(|range| range.low.version()).filter_map(|version| position(known, version)).collect();
    positions.sort_unstable();
    positions.dedup();
    let mut intervals: Vec<(usize, usize)> = Vec::new();
    for position in positions {
        match intervals.last_mut() {
            Some((_, last)) if *last + 1 == position && same_branch(known, *last, position) => *last = position,
            _ => intervals.push((position, position)),
        }
    }
    for (first, last) in intervals {
        if let (Some(first), Some(last)) = (known.get(first), known.get(last)) {
            let interval = VersionRange { low: Bound::Including(first.clone()), high: Bound::Including(last.clone()) };
            if !ranges.iter().any(|range| covers(range, first) && covers(range, last)) {
                ranges.push(interval);
            }
        }
    }
    entry.versions = ranges;
}

fn covers(range: &VersionRange, version: &str) -> bool {
    range.holds(Scheme::Generic, version) == Some(true)
}

fn is_orderable(range: &VersionRange) -> bool {
    range.low.version().is_some_and(version::is_orderable)
}

/// `2.4.1` and `2.4.9`, `1.0.2a` and `1.0.2k`, `1.2` and `1.2-rc1`: one branch; `2.4.9` and `2.5.0` are two.
fn same_branch(known: &[String], left: usize, right: usize) -> bool {
    let (Some(left), Some(right)) = (known.get(left), known.get(right)) else { return false };
    branch(left) == branch(right) || right.starts_with(left.as_str()) || left.starts_with(right.as_str())
}

/// The version without what follows its last dot.
fn branch(version: &str) -> &str {
    version.rfind('.').and_then(|dot| version.get(..dot)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpe::Part;

    fn folded(lists: &[&[&str]]) -> Vec<Vec<String>> {
        let mut records: Vec<Record> = lists
            .iter()
            .map(|versions| {
                let mut record = Record::new("CVE-1-1");
                let mut entry = Affected::new(Product::cpe(Part::Application, "v", "p"), Scheme::Generic);
                entry.versions = versions.iter().map(|version| VersionRange::exactly(*version)).collect();
                record.affected.push(entry);
                record
            })
            .collect();
        fold_points(&mut records);
        records.iter().map(|record| record.affected[0].versions.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn neighbours_of_one_branch_become_an_interval() {
        assert_eq!(folded(&[&["2.4.1", "2.4.3", "2.4.10", "2.6.0"]]), [[">= 2.4.1, <= 2.4.10", "= 2.6.0"]]);
    }

    #[test]
    fn a_version_another_advisory_names_stays_out_when_this_one_leaves_it_out() {
        assert_eq!(folded(&[&["1.0.1", "1.0.3"], &["1.0.2"]])[0], ["= 1.0.1", "= 1.0.3"]);
    }
}
