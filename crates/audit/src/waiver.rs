//! Local waivers: what a user accepts, with a reason and an end. A waiver that no longer does anything says so.

use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::record::VersionRange;
use aux_core::finding::EvidenceKind;
use aux_core::version::Scheme;
use aux_core::{CheckResult, CheckState, Evidence, Finding, State, line_of};
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::audit::Only;
use crate::checks::ID_PREFIX;
use crate::report::{TargetReport, WaiverNote};

/// Every waiver in force, in file order.
#[derive(Debug, Clone, Default)]
pub struct Waivers {
    waivers: Vec<Waiver>,
}

#[derive(Debug, Clone)]
struct Waiver {
    /// File and line.
    subject: String,
    /// Advisory ids; empty: every advisory of the package.
    ids: BTreeSet<String>,
    /// A package name; `None`: any.
    package: Option<String>,
    versions: VersionRange,
    reason: String,
    expires: Option<Date>,
    until_fixed: bool,
}

/// Why a waiver file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {message}")]
pub struct WaiverError {
    pub subject: String,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    waiver: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    ids: Vec<String>,
    package: Option<String>,
    versions: Option<String>,
    reason: String,
    expires: Option<toml::value::Datetime>,
    #[serde(default)]
    until_fixed: bool,
}

/// An entry of a vulnix whitelist: a table named after a package, a package with its version, or `*`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhitelistEntry {
    cve: Option<OneOrMany>,
    until: Option<WhitelistDate>,
    comment: Option<OneOrMany>,
    issue_url: Option<OneOrMany>,
    /// Passed over there as well; older files have it.
    #[expect(dead_code, reason = "the key is allowed and means nothing")]
    status: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WhitelistDate {
    Toml(toml::value::Datetime),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

impl Waivers {
    /// Like [`Self::read`], of a file as it is on disk.
    pub fn read_bytes(&mut self, file: &str, bytes: &[u8]) -> Result<(), WaiverError> {
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(file, "it is not UTF-8 text"))?;
        self.read(file, text)
    }

    /// Reads a waiver file of ours, or a vulnix whitelist, and adds it.
    pub fn read(&mut self, file: &str, text: &str) -> Result<(), WaiverError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            wrong(&place(file, text, start), error.message())
        })?;
        let is_whitelist = !table.is_empty() && !table.contains_key("waiver");
        if is_whitelist { self.read_whitelist(file, text) } else { self.read_own(file, text) }
    }

    fn read_own(&mut self, file: &str, text: &str) -> Result<(), WaiverError> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            wrong(&place(file, text, start), error.message())
        })?;
        for entry in document.waiver {
            let subject = place(file, text, entry.span().start);
            let entry = entry.into_inner();
            if entry.reason.trim().is_empty() {
                return Err(wrong(&subject, "a waiver needs a reason"));
            }
            if entry.ids.is_empty() && entry.package.is_none() {
                return Err(wrong(&subject, "a waiver names advisory ids, a package or both"));
            }
            let versions = match entry.versions.as_deref() {
                None => VersionRange::ALL,
                Some(text) => VersionRange::read(text).ok_or_else(|| {
                    wrong(
                        &subject,
                        &format!("versions `{text}` is not one range such as `>=1.0,<2.0`, each bound once, or `*`"),
                    )
                })?,
            };
            let expires = entry.expires.as_ref().map(|value| date(&value.to_string())).transpose();
            self.waivers.push(Waiver {
                ids: entry.ids.into_iter().collect(),
                package: entry.package,
                versions,
                reason: entry.reason,
                expires: expires.map_err(|message| wrong(&subject, &message))?,
                until_fixed: entry.until_fixed,
                subject,
            });
        }
        Ok(())
    }

    fn read_whitelist(&mut self, file: &str, text: &str) -> Result<(), WaiverError> {
        let entries: BTreeMap<Spanned<String>, WhitelistEntry> = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            wrong(
                &place(file, text, start),
                &format!("neither waivers nor a vulnix whitelist, whose headings are quoted: {}", error.message()),
            )
        })?;
        for (key, entry) in entries {
            let subject = place(file, text, key.span().start);
            let key = key.into_inner();
            let (name, version) = aux_core::naming::split_nix_name(&key);
            let ids: BTreeSet<String> = entry.cve.into_iter().flat_map(OneOrMany::into_texts).collect();
            if name == "*" && ids.is_empty() {
                return Err(wrong(&subject, "`*` without `cve` would waive everything; name the advisories"));
            }
            let texts = [entry.comment, entry.issue_url].into_iter().flatten().flat_map(OneOrMany::into_texts);
            let reason = texts.collect::<Vec<_>>().join(" ");
            let until = entry.until.map(|until| match until {
                WhitelistDate::Toml(value) => date(&value.to_string()),
                WhitelistDate::Text(text) => date(&text),
            });
            // There, findings are reported again from the day itself; here, a waiver's end is its last day.
            let until = until.transpose().and_then(|day| day.map(last_day_before).transpose());
            self.waivers.push(Waiver {
                ids,
                package: (name != "*").then(|| name.to_owned()),
                versions: if version.is_empty() { VersionRange::ALL } else { VersionRange::exactly(version) },
                reason: if reason.is_empty() { "whitelisted without a comment".to_owned() } else { reason },
                expires: until.map_err(|message| wrong(&subject, &message))?,
                until_fixed: false,
                subject,
            });
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.waivers.is_empty()
    }

    /// Marks what is waived and returns what the owners of the file should know.
    pub(crate) fn apply(&self, targets: &mut [TargetReport], only: Only, today: Date) -> Vec<WaiverNote> {
        let mut matched = vec![0_usize; self.waivers.len()];
        let mut ended = vec![0_usize; self.waivers.len()];
        let places = self.places();
        let has_configuration = targets.iter().any(|target| target.checks.is_some());
        for check in targets.iter_mut().filter_map(|target| target.checks.as_mut()).flatten() {
            self.apply_to_check(check, &mut matched, today);
        }
        let findings = targets.iter_mut().flat_map(|target| &mut target.findings);
        for finding in findings.filter(|finding| !matches!(finding.state, State::NotAffected | State::FixedByPatch)) {
            for place in places.of(finding) {
                let slots = (self.waivers.get(place), matched.get_mut(place), ended.get_mut(place));
                let (Some(waiver), Some(matched), Some(ended)) = slots else { continue };
                if !waiver.is_about(finding) {
                    continue;
                }
                *matched += 1;
                let is_fixed = waiver.until_fixed && (finding.is_fixable() || !finding.fixed_versions.is_empty());
                *ended += usize::from(is_fixed);
                if !is_fixed && waiver.expires.is_none_or(|expires| expires >= today) && finding.waived.is_none() {
                    finding.waived = Some(waiver.reason.clone());
                    finding.evidence.push(Evidence::new(
                        EvidenceKind::Waiver,
                        format!("waived by {}: {}", waiver.subject, waiver.reason),
                    ));
                }
            }
        }
        let notes = self.waivers.iter().zip(matched).zip(ended).filter_map(|((waiver, matched), ended)| {
            let message = match (waiver.expires, matched, ended) {
                (Some(expires), ..) if expires < today => format!("expired on {expires}"),
                // What was not looked for is not missing.
                (_, 0, _) if waiver.is_about_checks_alone() && !has_configuration => return None,
                (_, 0, _) if !waiver.is_about_checks_alone() && !only.has_packages() => return None,
                (_, 0, _) => "matches nothing".to_owned(),
                (_, _, 1..) => "ended, because a fix exists now".to_owned(),
                _ => return None,
            };
            Some(WaiverNote { subject: waiver.subject.clone(), message })
        });
        notes.collect()
    }
}

impl Waivers {
    /// A check is waived by its id; a check that passes needs no waiver.
    fn apply_to_check(&self, check: &mut CheckResult, matched: &mut [usize], today: Date) {
        if check.state == CheckState::Passed {
            return;
        }
        for (waiver, matched) in self.waivers.iter().zip(matched) {
            if waiver.package.is_some() || !waiver.ids.contains(check.id) {
                continue;
            }
            *matched += 1;
            if waiver.expires.is_none_or(|expires| expires >= today) && check.waived.is_none() {
                check.waived = Some(waiver.reason.clone());
                let text = format!("waived by {}: {}", waiver.subject, waiver.reason);
                check.evidence.push(Evidence::new(EvidenceKind::Waiver, text));
            }
        }
    }
}

/// Where the waivers stand that may be about a finding, so that long lists meet long reports in time.
#[derive(Default)]
struct Places<'w> {
    by_id: BTreeMap<&'w str, Vec<usize>>,
    /// Those that name no id.
    by_package: BTreeMap<&'w str, Vec<usize>>,
}

impl Places<'_> {
    /// In file order.
    fn of(&self, finding: &Finding) -> BTreeSet<usize> {
        let ids = std::iter::once(&finding.id).chain(&finding.aliases);
        let by_id = ids.filter_map(|id| self.by_id.get(id.as_str()));
        by_id.chain(self.by_package.get(finding.package.name.as_str())).flatten().copied().collect()
    }
}

impl Waivers {
    fn places(&self) -> Places<'_> {
        let mut places = Places::default();
        for (place, waiver) in self.waivers.iter().enumerate() {
            for id in &waiver.ids {
                places.by_id.entry(id).or_default().push(place);
            }
            // A waiver names ids, a package or both; without either it is refused when read.
            if let (true, Some(package)) = (waiver.ids.is_empty(), &waiver.package) {
                places.by_package.entry(package).or_default().push(place);
            }
        }
        places
    }
}

impl Waiver {
    fn is_about_checks_alone(&self) -> bool {
        !self.ids.is_empty() && self.ids.iter().all(|id| id.starts_with(ID_PREFIX))
    }

    fn is_about(&self, finding: &Finding) -> bool {
        let id = self.ids.is_empty()
            || self.ids.contains(&finding.id)
            || finding.aliases.iter().any(|alias| self.ids.contains(alias));
        let package = self.package.as_ref().is_none_or(|package| *package == finding.package.name);
        id && package
            && (self.versions == VersionRange::ALL
                || self.versions.holds(Scheme::Generic, &finding.package.version) == Some(true))
    }
}

fn place(file: &str, text: &str, offset: usize) -> String {
    format!("{file}:{}", line_of(text, offset))
}

fn wrong(subject: &str, message: &str) -> WaiverError {
    WaiverError { subject: subject.to_owned(), message: message.to_owned() }
}

fn last_day_before(day: Date) -> Result<Date, String> {
    day.yesterday().map_err(|_| format!("`{day}` has no day before it"))
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("`{text}` is not a date such as 2026-01-31"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Waivers, WaiverError> {
        let mut waivers = Waivers::default();
        waivers.read("w.toml", text).map(|()| waivers)
    }

    #[test]
    fn own_waivers_and_vulnix_whitelists_are_read() {
        let own = read("[[waiver]]\nids = [\"CVE-2020-0001\"]\npackage = \"p\"\nversions = \"<2\"\nreason = \"r\"\nexpires = 2030-01-01\n").unwrap();
        assert_eq!(own.waivers[0].subject, "w.toml:1");
        let whitelist = read("[\"openssl-1.0.2k\"]\ncve = [\"CVE-2017-3735\"]\nuntil = \"2030-01-01\"\ncomment = \"no X.509 here\"\n[\"*\"]\ncve = [\"CVE-1\"]\n").unwrap();
        assert_eq!(whitelist.waivers[1].package.as_deref(), Some("openssl"));
        assert_eq!(whitelist.waivers[1].versions.to_string(), "= 1.0.2k");
        assert_eq!(whitelist.waivers[0].package, None);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_whitelist_ends_on_the_day_it_names_and_may_name_one_advisory_as_text() {
        let read = read("[\"*\"]\ncve = \"CVE-2017-0001\"\nuntil = 2018-03-01\nstatus = \"ignore\"\n").unwrap();
        assert_eq!(read.waivers[0].expires, Some(jiff::civil::date(2018, 2, 28)));
        assert_eq!(read.waivers[0].ids, BTreeSet::from(["CVE-2017-0001".to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, says) in [
            ("[[waiver]]\nids=[\"x\"]\nreason=\" \"\n", "w.toml:1: a waiver needs a reason"),
            ("[[waiver]]\nreason=\"r\"\n", "w.toml:1: a waiver names advisory ids, a package or both"),
            ("[[waiver]]\nids=[\"x\"]\nversions=\"new\"\nreason=\"r\"\n", "w.toml:1: versions `new` is not one range"),
            (
                "\n[[waiver]]\nids=[\"x\"]\nversions=\">=1,>=2\"\nreason=\"r\"\n",
                "w.toml:2: versions `>=1,>=2` is not one range such as `>=1.0,<2.0`, each bound once",
            ),
            ("x = [", "w.toml:1"),
            ("[\"*\"]\ncomment = \"all\"\n", "w.toml:1: `*` without `cve` would waive everything"),
            ("[\"a-1\"]\ncves = [\"x\"]\n", "neither waivers nor a vulnix whitelist"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
