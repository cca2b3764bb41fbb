//! One record per vulnerability from what several sources say about it.

use std::collections::BTreeMap;

use aux_core::version::Scheme;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::record::{Affected, Bound, Platform, Product, Record, Source, VersionRange};

/// Unites records that share an id or an alias; sorted by id and the same whatever the order of the input.
///
/// A CVE id names the union, else its smallest id. Two CVE ids are two vulnerabilities by the CVE counting rules, so
/// they are never united: an advisory that fixes several (many GHSA and distribution ids do) speaks in each of them.
/// To be called before [`fold_points`](crate::ranges::fold_points), which hides what a source merely enumerated.
pub fn merge(records: Vec<Record>) -> Vec<Record> {
    let mut records = one_cve_each(newest(records));
    // Every later choice among equals takes the first, so the order is fixed here.
    records
        .sort_by(|left, right| (&left.id, left.source).cmp(&(&right.id, right.source)).then_with(|| tie(left, right)));
    let groups = group(&records);
    let mut united: Vec<Vec<Record>> = Vec::new();
    let mut place_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (record, root) in records.into_iter().zip(groups) {
        let place = *place_of.entry(root).or_insert(united.len());
        match united.get_mut(place) {
            Some(group) => group.push(record),
            None => united.push(vec![record]),
        }
    }
    let mut merged: Vec<Record> = united.into_iter().filter_map(unite).collect();
    merged.sort_by(|left, right| left.id.cmp(&right.id));
    merged
}

/// Leaves out records published after `day` (UTC); a record without a date is kept, nobody can say it is later.
///
/// To be called before [`merge`], so that a source that knew later adds nothing to one that knew in time.
pub fn as_of(mut records: Vec<Record>, day: Date) -> Vec<Record> {
    records.retain(|record| record.published.is_none_or(|published| published.to_zoned(TimeZone::UTC).date() <= day));
    records
}

/// Of what a source says of one id in several documents the newest stands: an increment replaces what it changes.
///
/// pkgsrc's lists have no ids of their own, and nobody knows what an unnamed source means by speaking twice.
fn newest(mut records: Vec<Record>) -> Vec<Record> {
    records
        .sort_by(|left, right| (&left.id, left.source, right.modified).cmp(&(&right.id, right.source, left.modified)));
    records.dedup_by(|later, first| {
        let is_numbered = matches!(first.source, Source::Nvd | Source::Cve5 | Source::Osv);
        is_numbered && (&later.id, later.source) == (&first.id, first.source) && later.modified < first.modified
    });
    records
}

fn is_cve(id: &str) -> bool {
    id.starts_with("CVE-")
}

/// Distinguishes records of one id and source without comparing everything when nothing is equal.
fn tie(left: &Record, right: &Record) -> std::cmp::Ordering {
    (left.modified, left.published, &left.title, &left.aliases, &left.references, left.score)
        .cmp(&(right.modified, right.published, &right.title, &right.aliases, &right.references, right.score))
        .then_with(|| left.affected.iter().map(order).cmp(right.affected.iter().map(order)))
        .then_with(|| (left.withdrawn, left.kev, left.class).cmp(&(right.withdrawn, right.kev, right.class)))
}

type Order<'a> = (&'a Product, Scheme, Platform, &'a [Product], &'a Option<String>, &'a [VersionRange], &'a [String]);

fn order(entry: &Affected) -> Order<'_> {
    let Affected { product, scheme, platform, together_with, versions, pattern, fixed } = entry;
    (product, *scheme, *platform, together_with, pattern, versions, fixed)
}

/// Copies an advisory that is not itself a CVE into each of the several CVEs it names.
fn one_cve_each(records: Vec<Record>) -> Vec<Record> {
    let mut single = Vec::with_capacity(records.len());
    for record in records {
        let names_several = record.aliases.iter().filter(|alias| is_cve(alias)).nth(1).is_some();
        if is_cve(&record.id) || !names_several {
            single.push(record);
            continue;
        }
        for cve in record.aliases.iter().filter(|alias| is_cve(alias)) {
            let mut copy = record.clone();
            copy.aliases.retain(|alias| !is_cve(alias));
            copy.aliases.insert(std::mem::replace(&mut copy.id, cve.clone()));
            single.push(copy);
        }
    }
    single
}

/// For each record the index of its group's first record.
fn group(records: &[Record]) -> Vec<usize> {
    let mut names: Vec<(&str, usize)> = Vec::with_capacity(records.len() * 2);
    for (index, record) in records.iter().enumerate() {
        names.push((&record.id, index));
        // A CVE that lists another as its alias still is one of its own.
        names.extend(
            record
                .aliases
                .iter()
                .filter(|alias| !is_cve(&record.id) || !is_cve(alias))
                .map(|alias| (alias.as_str(), index)),
        );
    }
    names.sort_unstable();
    let mut groups = Groups::of(records);
    for pair in names.windows(2) {
        if let [(one, left), (other, right)] = pair
            && one == other
        {
            groups.join(*left, *right);
        }
    }
    (0..records.len()).map(|index| groups.root(index)).collect()
}

/// Disjoint sets of records, each with at most one CVE id.
struct Groups<'r> {
    parents: Vec<usize>,
    cves: Vec<Option<&'r str>>,
}

impl<'r> Groups<'r> {
    fn of(records: &'r [Record]) -> Self {
        let cve = |record: &'r Record| {
            let alias = record.aliases.iter().map(String::as_str).find(|alias| is_cve(alias));
            if is_cve(&record.id) { Some(record.id.as_str()) } else { alias }
        };
        Self { parents: (0..records.len()).collect(), cves: records.iter().map(cve).collect() }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while let Some(parent) = self.parents.get(index).copied()
            && parent != index
        {
            let grandparent = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(index) {
                *slot = grandparent;
            }
            index = grandparent;
        }
        index
    }

    /// Joins two sets under the smaller root, unless both have a CVE id and they differ.
    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        let cve = |index: usize| self.cves.get(index).copied().flatten();
        let (one, other) = (cve(left), cve(right));
        if left == right || (one.is_some() && other.is_some() && one != other) {
            return;
        }
        let (kept, joined) = (left.min(right), left.max(right));
        if let (Some(parent), Some(name)) = (self.parents.get_mut(joined), self.cves.get_mut(kept)) {
            *parent = kept;
            *name = one.or(other);
        }
    }
}

fn unite(mut group: Vec<Record>) -> Option<Record> {
    if group.len() == 1 {
        let mut only = group.pop()?;
        if !is_cve(&only.id)
            && let Some(cve) = only.aliases.iter().find(|alias| is_cve(alias)).cloned()
        {
            only.aliases.remove(&cve);
            only.aliases.insert(std::mem::replace(&mut only.id, cve));
        }
        only.affected = combine(vec![(only.source, std::mem::take(&mut only.affected))]);
        return Some(only);
    }
    group.sort_by_key(|record| record.source);
    let names = || group.iter().flat_map(|record| record.aliases.iter().chain([&record.id]));
    let cve = group.iter().map(|record| &record.id).filter(|id| is_cve(id)).min();
    let id = cve.or_else(|| names().filter(|id| is_cve(id)).min()).or_else(|| names().min())?.clone();
    let mut united = Record::new(id);
    united.aliases = names().filter(|name| **name != united.id).cloned().collect();
    united.source = group.first()?.source;
    united.published = group.iter().filter_map(|record| record.published).min();
    united.modified = group.iter().filter_map(|record| record.modified).max();
    united.score = group.iter().find_map(|record| record.score);
    united.kev = group.iter().any(|record| record.kev);
    united.class = group.iter().map(|record| record.class).max()?;
    united.withdrawn = group.iter().all(|record| record.withdrawn);
    united.title =
        group.iter().map(|record| &record.title).find(|title| !title.is_empty()).cloned().unwrap_or_default();
    united.references = group.iter_mut().flat_map(|record| std::mem::take(&mut record.references)).collect();
    united.references.sort();
    united.references.dedup();
    let mut said: Vec<(Source, Vec<Affected>)> = Vec::new();
    for record in group {
        match said.last_mut().filter(|(source, _)| *source == record.source) {
            Some((_, affected)) => affected.extend(record.affected),
            None => said.push((record.source, record.affected)),
        }
    }
    united.affected = combine(said);
    Some(united)
}

/// What two sources must agree on to speak about the same thing.
type Key = (Product, Scheme, Platform, Vec<Product>, Option<String>);

/// The affected ranges and the fixed versions one source states.
type Statement = (Vec<VersionRange>, Vec<String>);

/// One entry for each thing the sources speak about.
///
/// Where a source's ranges end at the fixing version, the bare enumerations, "every version" and silence of the others
/// fall away: whoever knows the fix knows the range, while an enumeration is what somebody happened to test and "every
/// version" was written before there was a fix. Sources that are equally precise, or equally vague, are both kept: a
/// missed alarm costs more than one too many, and which of them is right is not to be seen from here.
fn combine(said: Vec<(Source, Vec<Affected>)>) -> Vec<Affected> {
    let mut things: BTreeMap<Key, BTreeMap<Source, Statement>> = BTreeMap::new();
    for (source, entries) in said {
        for entry in entries {
            let Affected { product, scheme, platform, together_with, versions, pattern, fixed } = entry;
            let by_source = things.entry((product, scheme, platform, together_with, pattern)).or_default();
            let (ranges, fixes) = by_source.entry(source).or_default();
            ranges.extend(versions);
            fixes.extend(fixed);
        }
    }
    things
        .into_iter()
        .map(|((product, scheme, platform, together_with, pattern), by_source)| {
            let someone_is_precise = by_source.values().any(|(ranges, _)| is_precise(ranges));
            let mut entry = Affected { platform, together_with, pattern, ..Affected::new(product, scheme) };
            for (ranges, fixes) in by_source.into_values() {
                if !someone_is_precise || !is_bare(&ranges) {
                    entry.versions.extend(ranges);
                }
                entry.fixed.extend(fixes);
            }
            entry.versions.sort();
            entry.versions.dedup();
            entry.fixed.sort();
            entry.fixed.dedup();
            entry
        })
        .collect()
}

fn is_precise(ranges: &[VersionRange]) -> bool {
    ranges.iter().any(|range| matches!(range.high, Bound::Excluding(_)))
}

fn is_bare(ranges: &[VersionRange]) -> bool {
    ranges.iter().all(|range| range.is_exact() || *range == VersionRange::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpe::Part;
    use aux_core::Score;

    fn record(id: &str, source: Source, aliases: &[&str]) -> Record {
        let mut record = Record::new(id);
        record.source = source;
        record.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        record
    }

    fn about(mut record: Record, product: &str, ranges: &[&str]) -> Record {
        let mut entry = Affected::new(Product::cpe(Part::Application, "v", product), Scheme::Generic);
        entry.versions = ranges.iter().map(|range| VersionRange::read(range).unwrap()).collect();
        record.affected.push(entry);
        record
    }

    fn shown(records: &[Record]) -> Vec<String> {
        records
            .iter()
            .map(|record| format!("{} = {}", record.id, record.aliases.iter().cloned().collect::<Vec<_>>().join(" ")))
            .collect()
    }

    #[test]
    fn ids_and_aliases_unite_under_the_cve_id_whatever_the_order() {
        let mut records = vec![
            record("GHSA-1", Source::Osv, &["CVE-2024-1"]),
            record("PYSEC-1", Source::Osv, &["GHSA-1"]),
            record("CVE-2024-1", Source::Nvd, &[]),
            record("GHSA-9", Source::Osv, &["OSV-3"]),
            record("OSV-3", Source::Osv, &[]),
            record("BIT-7", Source::Osv, &["CVE-2024-7"]),
        ];
        let expected = ["CVE-2024-1 = GHSA-1 PYSEC-1", "CVE-2024-7 = BIT-7", "GHSA-9 = OSV-3"];
        let first = merge(records.clone());
        assert_eq!(shown(&first), expected);
        for turn in 0..records.len() {
            records.rotate_left(1);
            records.swap(0, turn);
            assert_eq!(merge(records.clone()), first);
        }
    }

    #[test]
    fn two_cve_ids_stay_two_and_an_advisory_about_both_speaks_in_each() {
        let records = vec![
            record("CVE-2024-1", Source::Nvd, &[]),
            record("CVE-2024-2", Source::Nvd, &["CVE-2024-1"]),
            about(record("GHSA-1", Source::Osv, &["CVE-2024-1", "CVE-2024-2"]), "x", &["<2"]),
            record("PYSEC-1", Source::Osv, &["GHSA-1"]),
        ];
        let merged = merge(records);
        assert_eq!(merged.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["CVE-2024-1", "CVE-2024-2"]);
        assert!(merged.iter().all(|record| record.affected.len() == 1 && record.aliases.contains("GHSA-1")));
    }

    #[test]
    fn nvd_scores_first_and_only_all_sources_withdraw() {
        let mut nvd = record("CVE-2024-1", Source::Nvd, &[]);
        let mut vendor = record("CVE-2024-1", Source::Cve5, &[]);
        vendor.score = Score::from_tenths(98);
        nvd.score = Score::from_tenths(50);
        nvd.withdrawn = true;
        vendor.kev = true;
        vendor.references = vec!["https://b".to_owned(), "https://a".to_owned()];
        nvd.references = vec!["https://b".to_owned()];
        let merged = merge(vec![vendor, nvd]).remove(0);
        assert_eq!((merged.score, merged.withdrawn, merged.kev), (Score::from_tenths(50), false, true));
        assert_eq!((merged.references.len(), merged.source), (2, Source::Nvd));
    }

    #[test]
    fn who_knows_the_fix_supersedes_who_enumerates() {
        let united = |nvd: &[&str], vendor: &[&str]| {
            let merged = merge(vec![
                about(record("CVE-2024-1", Source::Nvd, &[]), "x", nvd),
                about(record("CVE-2024-1", Source::Cve5, &[]), "x", vendor),
            ]);
            assert_eq!(merged[0].affected.len(), 1);
            merged[0].affected[0].versions.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(united(&["=1.0", "=1.1"], &[">=1.0,<1.3"]), [">= 1.0, < 1.3"]);
        assert_eq!(united(&["<1.3"], &["*"]), ["< 1.3"]);
        assert_eq!(united(&["<1.3"], &[]), ["< 1.3"]);
        assert_eq!(united(&["<1.3"], &[">=1.0,<1.4"]), ["< 1.3", ">= 1.0, < 1.4"]);
        assert_eq!(united(&["<=1.2"], &["=1.5"]), ["<= 1.2", "= 1.5"]);
    }

    #[test]
    fn what_was_published_later_is_left_out_and_what_has_no_date_is_kept() {
        let mut early = record("CVE-2020-1", Source::Nvd, &[]);
        early.published = "2021-02-03T23:59:59Z".parse().ok();
        let mut late = record("CVE-2020-2", Source::Nvd, &[]);
        late.published = "2021-02-04T00:00:00Z".parse().ok();
        let undated = record("CVE-2020-3", Source::Pkgsrc, &[]);
        let kept = as_of(vec![early, late, undated], jiff::civil::date(2021, 2, 3));
        assert_eq!(shown(&kept), ["CVE-2020-1 = ", "CVE-2020-3 = "]);
    }
}
