//! OSV records, one or a JSON list of them (Open Source Vulnerability format, schema 1.x).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use aux_core::version::{self, Scheme};
use aux_core::{Ecosystem, Score, limits};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::configuration::{fixed_versions, named};
use crate::cpe::Cpe;
use crate::document::{is_major, or_default, timestamp, vector_score, vector_version};
use crate::record::{Affected, Bound, Platform, Product, Record, Source, VersionRange};

/// Why a document is not OSV.
#[derive(Debug, thiserror::Error)]
pub enum OsvError {
    #[error("not an OSV document: {0}")]
    Json(#[from] serde_json::Error),
}

/// Hands every record of the document to `each`.
pub fn read(document: &[u8], each: &mut dyn FnMut(Record)) -> Result<(), OsvError> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let is_list = document.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        deserializer.deserialize_seq(List { each })?;
    } else {
        let entry = Entry::deserialize(&mut deserializer)?;
        deserializer.end()?;
        entry.check::<serde_json::Error>()?;
        each(entry.into_record());
        return Ok(());
    }
    Ok(deserializer.end()?)
}

struct List<'f> {
    each: &'f mut dyn FnMut(Record),
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of OSV records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(entry) = items.next_element::<Entry>()? {
            entry.check()?;
            (self.each)(entry.into_record());
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    schema_version: Option<String>,
    modified: Option<String>,
    published: Option<String>,
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    summary: String,
    #[serde(default, deserialize_with = "or_default")]
    details: String,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<SeverityEntry>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<AffectedEntry>,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct SeverityEntry {
    #[serde(default)]
    score: String,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
}

#[derive(Deserialize)]
struct AffectedEntry {
    package: Option<Package>,
    #[serde(default, deserialize_with = "or_default")]
    ranges: Vec<Range>,
    #[serde(default, deserialize_with = "or_default")]
    versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<SeverityEntry>,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Deserialize, PartialEq, Eq)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// The part each database shapes as it likes; only a list of CPE names is known to us.
#[derive(Deserialize)]
#[serde(untagged)]
enum Specific {
    Named { cpes: Vec<String> },
    Other(IgnoredAny),
}

impl Default for Specific {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl Specific {
    fn cpes(&self) -> &[String] {
        match self {
            Self::Named { cpes } => cpes,
            Self::Other(_) => &[],
        }
    }
}

impl Entry {
    fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.id.is_empty() || self.id.len() > limits::NAME_BYTES_MAX {
            return Err(E::custom("a record's `id` is empty or too long to be one"));
        }
        match &self.schema_version {
            Some(version) if !is_major(version, "1") => {
                Err(E::custom(format_args!("schema version `{version}` of {} is not 1.x", self.id)))
            }
            _ => Ok(()),
        }
    }

    fn into_record(self) -> Record {
        let mut record = Record::new(self.id.clone());
        record.source = Source::Osv;
        record.published = self.published.as_deref().and_then(timestamp);
        record.modified = self.modified.as_deref().and_then(timestamp);
        record.withdrawn = self.withdrawn.as_deref().and_then(timestamp).is_some();
        record.score = score(&self.severity)
            .or_else(|| self.affected.iter().filter_map(|affected| score(&affected.severity)).max());
        if !record.withdrawn {
            record.affected = self.affected();
        }
        record.aliases = self.aliases.into_iter().filter(|alias| !alias.is_empty() && *alias != self.id).collect();
        record.title = if self.summary.is_empty() { self.details } else { self.summary };
        record.references = self.references.into_iter().map(|reference| reference.url).collect();
        record
    }

    fn affected(&self) -> Vec<Affected> {
        let mut entries = Vec::new();
        for affected in &self.affected {
            affected.collect(self.common_cpes(), &mut entries);
        }
        entries
    }

    /// CPE names of the whole record, which speak for its ranges only while it is about one package.
    fn common_cpes(&self) -> &[String] {
        let mut packages = self.affected.iter().map(|affected| &affected.package);
        let first = packages.next();
        if packages.all(|package| Some(package) == first) { self.database_specific.cpes() } else { &[] }
    }
}

/// The score of the newest CVSS version given.
fn score(severities: &[SeverityEntry]) -> Option<Score> {
    severities
        .iter()
        .filter_map(|severity| Some((vector_version(&severity.score), vector_score(&severity.score)?)))
        .max()
        .map(|(_, score)| score)
}

impl AffectedEntry {
    fn collect(&self, common_cpes: &[String], entries: &mut Vec<Affected>) {
        if let Some(package) = &self.package {
            let ecosystem = Ecosystem::new(&package.ecosystem);
            let scheme = self.scheme(&ecosystem);
            let product = Product::Package { ecosystem, name: package.name.clone() };
            entries.push(self.entry(product, Platform::Any, scheme));
        }
        let mut seen: BTreeMap<Product, Platform> = BTreeMap::new();
        for text in self.database_specific.cpes().iter().chain(common_cpes) {
            // A name that leaves the part open is about software: databases of packages know nothing else.
            let text = text.replacen("cpe:2.3:*:", "cpe:2.3:a:", 1);
            let Some(cpe) = Cpe::read(&text) else { continue };
            let (product, platform) = named(&cpe);
            // A list that names the plain edition too is about it.
            seen.entry(product).and_modify(|seen| *seen = platform.min(*seen)).or_insert(platform);
        }
        // CPE products carry upstream's versions as people write them, whatever order the package's ecosystem keeps.
        entries.extend(seen.into_iter().map(|(product, platform)| self.entry(product, platform, Scheme::Generic)));
    }

    fn scheme(&self, ecosystem: &Ecosystem) -> Scheme {
        match ecosystem.as_str() {
            "pkgsrc" => Scheme::Dewey,
            "npm" | "cargo" | "golang" => Scheme::Semver,
            _ if self.ranges.iter().any(|range| range.kind == "SEMVER") => Scheme::Semver,
            _ => Scheme::Generic,
        }
    }

    fn entry(&self, product: Product, platform: Platform, scheme: Scheme) -> Affected {
        let mut entry = Affected::new(product, scheme);
        entry.platform = platform;
        // Commits order nothing outside their repository, so a GIT range names no version.
        for range in self.ranges.iter().filter(|range| range.kind != "GIT") {
            entry.versions.extend(range.intervals(scheme));
        }
        entry.versions.sort();
        entry.versions.dedup();
        entry.fixed = fixed_versions(&entry.versions);
        let intervals = entry.versions.len();
        for listed in self.versions.iter().filter(|listed| !listed.is_empty()) {
            // Lists usually spell out what the ranges say; only what they leave out is news.
            let ranges = entry.versions.get(..intervals.min(RANGES_COMPARED_MAX)).unwrap_or_default();
            if !ranges.iter().any(|range| range.holds(scheme, listed) == Some(true)) {
                entry.versions.push(VersionRange::exactly(listed.as_str()));
            }
        }
        entry
    }
}

/// Ranges that a listed version is compared with before it is simply kept.
const RANGES_COMPARED_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Introduced,
    Fixed,
    LastAffected,
}

impl Range {
    /// The intervals its events span (OSV schema, "Evaluation"); none where it has more events than anyone lists.
    fn intervals(&self, scheme: Scheme) -> Vec<VersionRange> {
        if self.events.len() > limits::RANGE_EVENTS_MAX {
            return Vec::new();
        }
        let mut turns: Vec<(Turn, &str)> = Vec::new();
        for event in &self.events {
            let named = [
                (Turn::Introduced, &event.introduced),
                (Turn::Fixed, &event.fixed),
                (Turn::LastAffected, &event.last_affected),
            ];
            turns.extend(named.into_iter().filter_map(|(turn, version)| Some((turn, version.as_deref()?))));
        }
        sort(scheme, &mut turns);
        let mut intervals = Vec::new();
        let mut open: Option<Bound> = None;
        if turns.iter().all(|(turn, _)| *turn != Turn::Introduced) {
            // Every range must say where it begins; one that does not is taken from the first version on.
            open = Some(Bound::Open);
        }
        for (turn, version) in turns {
            let high = match turn {
                Turn::Introduced => {
                    open.get_or_insert_with(|| low_of(version));
                    continue;
                }
                Turn::Fixed => Bound::Excluding(version.to_owned()),
                Turn::LastAffected => Bound::Including(version.to_owned()),
            };
            if let Some(low) = open.take() {
                intervals.push(VersionRange { low, high });
            }
        }
        intervals.extend(open.map(|low| VersionRange { low, high: Bound::Open }));
        self.within_limits(scheme, intervals)
    }

    /// Nothing at or beyond the highest `limit` is affected; `*` is no limit.
    fn within_limits(&self, scheme: Scheme, mut intervals: Vec<VersionRange>) -> Vec<VersionRange> {
        let highest = self.events.iter().filter_map(|event| event.limit.as_deref()).reduce(|one, other| {
            let greater = one == "*" || version::compare(scheme, one, other) == Some(Ordering::Greater);
            if greater { one } else { other }
        });
        let Some(limit) = highest.filter(|limit| *limit != "*") else { return intervals };
        intervals.retain(|range| {
            range.low.version().is_none_or(|low| version::compare(scheme, low, limit) != Some(Ordering::Greater))
        });
        for range in &mut intervals {
            let ends_before = range.high.version().is_some_and(|high| {
                matches!(version::compare(scheme, high, limit), Some(Ordering::Less | Ordering::Equal))
            });
            if !ends_before {
                range.high = Bound::Excluding(limit.to_owned());
            }
        }
        intervals
    }
}

/// `0` is the schema's word for "before every version".
fn low_of(version: &str) -> Bound {
    if version == "0" { Bound::Open } else { Bound::Including(version.to_owned()) }
}

/// Sorts by version, equal or incomparable ones in the order they were listed.
///
/// Insertion by hand: foreign versions need not be totally ordered, and the standard library's sorts may panic then.
fn sort(scheme: Scheme, turns: &mut [(Turn, &str)]) {
    let precedes = |one: &(Turn, &str), other: &(Turn, &str)| match (one.1, other.1) {
        (_, "0") => false,
        ("0", _) => true,
        (one, other) => version::compare(scheme, one, other) == Some(Ordering::Less),
    };
    for end in 1..turns.len() {
        let mut at = end;
        while at > 0
            && let (Some(before), Some(this)) = (turns.get(at - 1), turns.get(at))
            && precedes(this, before)
        {
            turns.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Record> {
        let mut records = Vec::new();
        read(text.as_bytes(), &mut |record| records.push(record)).unwrap();
        records
    }

    fn ranges(ecosystem: &str, events: &str) -> Vec<String> {
        let text = format!(
            r#"{{"id":"X-1","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"p"}},
            "ranges":[{{"type":"ECOSYSTEM","events":{events}}}]}}]}}"#
        );
        records(&text)[0].affected[0].versions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn events_become_intervals_in_the_order_of_their_versions() {
        assert_eq!(ranges("PyPI", r#"[{"introduced":"0"},{"fixed":"1.2"}]"#), ["< 1.2"]);
        assert_eq!(
            ranges("npm", r#"[{"fixed":"10.0.1"},{"introduced":"9.0.0"},{"fixed":"9.1.0"},{"introduced":"10.0.0"}]"#),
            [">= 10.0.0, < 10.0.1", ">= 9.0.0, < 9.1.0"]
        );
        assert_eq!(ranges("PyPI", r#"[{"introduced":"1"},{"last_affected":"2"}]"#), [">= 1, <= 2"]);
        assert_eq!(ranges("PyPI", r#"[{"introduced":"0"}]"#), ["every version"]);
        assert_eq!(ranges("PyPI", r#"[{"introduced":"0"},{"limit":"3"}]"#), ["< 3"]);
        assert_eq!(
            ranges("PyPI", r#"[{"introduced":"0"},{"fixed":"1"},{"introduced":"4"},{"limit":"2"},{"limit":"3"}]"#),
            ["< 1"]
        );
        assert_eq!(
            ranges(
                "PyPI",
                r#"[{"introduced":"5.1"},{"last_affected":"5.1"},{"introduced":"5.2"},{"last_affected":"5.2"}]"#
            ),
            ["= 5.1", "= 5.2"]
        );
    }

    #[test]
    fn a_git_range_names_no_version_and_listed_versions_are_kept_once() {
        let record = &records(
            r#"[{"id":"X-1","schema_version":"1.7.3","affected":[{"package":{"ecosystem":"Go","name":"m"},
            "versions":["0.5.0","2.0.0"],
            "ranges":[{"type":"GIT","repo":"r","events":[{"introduced":"0"}]},
                      {"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.0"}]}]}]}]"#,
        )[0];
        let shown: Vec<String> = record.affected[0].versions.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["< 1.0.0", "= 2.0.0"]);
        assert_eq!(
            (record.affected[0].scheme, &record.affected[0].fixed[..]),
            (Scheme::Semver, &["1.0.0".to_owned()][..])
        );
    }

    #[test]
    fn cpe_names_of_the_database_carry_the_same_ranges() {
        let record = &records(
            r#"{"id":"BIT-x-1","aliases":["CVE-2024-1","BIT-x-1"],"published":"2024-01-01T00:00:00Z",
            "affected":[{"package":{"ecosystem":"Bitnami","name":"x"},
              "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
              "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.1.1k"}]}]}],
            "database_specific":{"severity":"High","cpes":["cpe:2.3:a:v:x:*:*:*:*:enterprise:*:*:*",
              "cpe:2.3:a:v:x:*:*:*:*:community:*:*:*"]}}"#,
        )[0];
        assert_eq!(record.score.map(Score::tenths), Some(75));
        assert_eq!(record.aliases.iter().collect::<Vec<_>>(), ["CVE-2024-1"]);
        let entry = &record.affected[1];
        assert_eq!((entry.product.to_string(), entry.platform), ("a:v:x".to_owned(), Platform::Any));
        assert_eq!((entry.scheme, &entry.versions), (Scheme::Generic, &record.affected[0].versions));
    }

    #[test]
    fn a_withdrawn_record_affects_nothing() {
        let text = r#"{"id":"X-1","withdrawn":"2024-01-01T00:00:00Z",
            "affected":[{"package":{"ecosystem":"PyPI","name":"p"},"versions":["1"]}]}"#;
        assert!(records(text)[0].withdrawn && records(text)[0].affected.is_empty());
    }

    #[test]
    fn what_is_no_osv_is_refused_with_its_reason() {
        for (text, says) in [
            ("", "EOF"),
            ("{}", "missing field `id`"),
            (r#"{"id":""}"#, "`id` is empty"),
            (r#"{"id":"X","id":"Y"}"#, "duplicate field `id`"),
            (r#"{"id":"X","schema_version":"2.0.0"}"#, "schema version `2.0.0` of X is not 1.x"),
            (r#"[{"id":"X"},{"id":"Y","schema_version":"0.9"}]"#, "is not 1.x"),
            (r#"[{"id":"X"}"#, "EOF"),
            (r#"{"id":"X"} x"#, "trailing"),
        ] {
            let error = read(text.as_bytes(), &mut |_| {}).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
