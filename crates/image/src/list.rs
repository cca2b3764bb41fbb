//! The vulnerability list as an audit of images needs it: entries by package name, and whether the list can be believed.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aux_advisory::pkg_vulnerabilities::{PkgVulnerabilitiesError, read_entries};
use aux_advisory::signature::Signer;
use aux_core::limits::IMAGE_LIST_AGE_DAYS_MAX;
use jiff::{SignedDuration, Timestamp};
use pkgsrc::Pattern;

/// A list, read.
#[derive(Debug)]
pub struct VulnerabilityList {
    facts: ListFacts,
    entries: Vec<ListEntry>,
    /// Entries by each package name they can match.
    by_name: BTreeMap<String, Vec<Named>>,
    problems: Vec<(usize, String)>,
}

/// What a list says of itself, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFacts {
    /// `1.3823`, of the `$NetBSD$` keyword.
    pub revision: Option<String>,
    /// When that revision was committed.
    pub committed: Option<Timestamp>,
    pub format: String,
    pub entries: usize,
    /// The algorithms of `#CHECKSUM` lines, all of which hold.
    pub checksums: Vec<String>,
    pub signature: Signature,
}

/// Who vouches for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// By a key one trusts.
    Verified(Signer),
    /// There is none.
    Absent,
    /// There is one, and no key was given to check it with.
    Unchecked,
    /// It proves nothing, whoever made it: the reason.
    Weak(String),
    /// It is not by the keys given, or does not fit the text: the reason.
    Refused(String),
}

impl Signature {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::Absent => "absent",
            Self::Unchecked => "unchecked",
            Self::Weak(_) => "weak",
            Self::Refused(_) => "refused",
        }
    }

    /// A sentence part that stands behind "its signature is".
    pub fn message(&self) -> String {
        match self {
            Self::Verified(signer) => format!("verified: made by {}", signer.fingerprint),
            Self::Absent => "absent".to_owned(),
            Self::Unchecked => "unchecked: no key was given (--key)".to_owned(),
            Self::Weak(reason) => format!("too weak to prove anything: {reason}"),
            Self::Refused(reason) => format!("refused: {reason}"),
        }
    }
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its number in the file.
    pub line: usize,
    pub pattern: String,
    /// `remote-code-execution`, `eol`.
    pub kind: String,
    pub url: String,
    /// The CVE ids in the URL, in their correct form.
    pub ids: Vec<String>,
}

#[derive(Debug)]
struct Named {
    /// Which of the entries.
    entry: usize,
    /// The part of the pattern that is about this name; `None` where that is the whole.
    pattern: Option<String>,
    /// Compiled when it is first asked for; a list has thousands, and an image names a hundred packages.
    compiled: OnceLock<Option<Pattern>>,
}

impl VulnerabilityList {
    /// Reads a list, unpacked. Of `keys`, armored, one must have signed it where some are given.
    pub fn read(document: &[u8], keys: Option<&[u8]>) -> Result<Self, PkgVulnerabilitiesError> {
        let mut entries = Vec::new();
        let mut by_name: BTreeMap<String, Vec<Named>> = BTreeMap::new();
        let read = read_entries(document, &mut |entry| {
            for (name, pattern) in &entry.names {
                let part = (pattern != entry.pattern).then(|| pattern.clone().into_owned());
                let named = Named { entry: entries.len(), pattern: part, compiled: OnceLock::new() };
                match by_name.get_mut(name) {
                    Some(known) => known.push(named),
                    None => drop(by_name.insert(name.clone(), vec![named])),
                }
            }
            entries.push(ListEntry {
                line: entry.line,
                pattern: entry.pattern.to_owned(),
                kind: entry.kind.to_owned(),
                url: entry.url.to_owned(),
                ids: entry.cve_ids().into_iter().collect(),
            });
        })?;
        let mut problems = read.problems;
        if read.signature.is_none() && read.checksums.is_empty() && !document.ends_with(b"\n") {
            let last = document.split(|byte| *byte == b'\n').count();
            problems.push((last, "the last line has no end: the list is cut short".to_owned()));
        }
        let signature = match (&read.signature, keys) {
            (None, _) => Signature::Absent,
            (Some(signed), keys) => match (signed.weakness(), keys) {
                (Some(weakness), _) => Signature::Weak(weakness.to_string()),
                (None, None) => Signature::Unchecked,
                (None, Some(keys)) => match signed.verify(keys) {
                    Ok(signer) => Signature::Verified(signer),
                    Err(error) => Signature::Refused(error.to_string()),
                },
            },
        };
        let facts = ListFacts {
            revision: read.revision,
            committed: read.committed,
            format: read.format,
            entries: read.entries,
            checksums: read.checksums,
            signature,
        };
        Ok(Self { facts, entries, by_name, problems })
    }

    pub fn facts(&self) -> &ListFacts {
        &self.facts
    }

    /// Lines that could not be read, with their number.
    pub fn problems(&self) -> &[(usize, String)] {
        &self.problems
    }

    /// How many entries speak of a package of this name, whatever its version.
    pub fn count_named(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, Vec::len)
    }

    /// The entries whose pattern holds for `name-version`, in the order of the list.
    pub fn matching(&self, name: &str, version: &str) -> Vec<&ListEntry> {
        let Some(known) = self.by_name.get(name) else { return Vec::new() };
        let whole = format!("{name}-{version}");
        let mut found: Vec<&ListEntry> = Vec::new();
        for named in known {
            let Some(entry) = self.entries.get(named.entry) else { continue };
            // A pattern that does not compile never came into the list.
            let compiled =
                named.compiled.get_or_init(|| Pattern::new(named.pattern.as_deref().unwrap_or(&entry.pattern)).ok());
            let holds = compiled.as_ref().is_some_and(|pattern| pattern.matches(&whole));
            if holds && found.last().is_none_or(|last| last.line != entry.line) {
                found.push(entry);
            }
        }
        found
    }

    /// Why the list cannot speak for `now`; empty where it can.
    ///
    /// `last_seen` is the newest revision known to have existed then; `requires_signature` where a key was given.
    pub fn refusals(&self, now: Timestamp, last_seen: Option<&str>, requires_signature: bool) -> Vec<String> {
        let ListFacts { revision, committed, signature, .. } = &self.facts;
        let mut refusals = Vec::new();
        if self.entries.is_empty() {
            refusals.push("the list has no entry: it was cut short, or is no list".to_owned());
        }
        match committed {
            None => refusals.push("nothing says how old the list is: it has no `$NetBSD` line with a date".to_owned()),
            Some(committed) => {
                let age = now.duration_since(*committed);
                if age > SignedDuration::from_hours(24 * IMAGE_LIST_AGE_DAYS_MAX) {
                    refusals.push(format!(
                        "the list is {} days old, of {}; at most {IMAGE_LIST_AGE_DAYS_MAX} are allowed \
                         (IMAGE_LIST_AGE_DAYS_MAX): fetch it again",
                        (age.as_hours() + 24) / 24,
                        committed.strftime("%Y-%m-%d")
                    ));
                }
            }
        }
        if let (Some(revision), Some(seen)) = (revision, last_seen)
            && is_older(revision, seen)
        {
            refusals.push(format!("the list is revision {revision}, and {seen} was seen before: somebody went back"));
        }
        if requires_signature && !matches!(signature, Signature::Verified(_)) {
            refusals.push(format!("a signature was asked for, and the list's is {}", signature.message()));
        }
        refusals
    }
}

/// Whether one CVS revision (`1.3823`) comes before another.
pub(crate) fn is_older(revision: &str, other: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
    numbers(revision) < numbers(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# $NetBSD: pkg-vulnerabilities,v 1.7 2011/04/08 20:57:53 x Exp $\n#FORMAT 1.1.0\n\
        foo{,-lib}<1.2\tdenial-of-service\thttp://x/CVE-CVE-2010-0001\nfoo-[0-9]*\teol\thttp://x/eol\n";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn entries_are_found_by_name_and_held_by_their_pattern() {
        let list = VulnerabilityList::read(LIST.as_bytes(), None).unwrap();
        let lines = |name, version| list.matching(name, version).iter().map(|entry| entry.line).collect::<Vec<_>>();
        assert_eq!(lines("foo", "1.1nb3"), [3, 4]);
        assert_eq!(lines("foo", "1.2"), [4]);
        assert_eq!(lines("foo-lib", "1.1"), [3]);
        assert_eq!(lines("bar", "1"), [0_usize; 0]);
        assert_eq!(list.matching("foo", "1.0")[0].ids, ["CVE-2010-0001"]);
    }

    #[test]
    fn a_list_that_is_old_undated_or_went_back_is_refused() {
        let list = VulnerabilityList::read(LIST.as_bytes(), None).unwrap();
        assert_eq!(list.refusals(at("2011-05-08T00:00:00Z"), Some("1.7"), false), [""; 0]);
        assert!(list.refusals(at("2011-05-09T00:00:00Z"), None, false)[0].contains("31 days old, of 2011-04-08"));
        assert!(list.refusals(at("2011-04-09T00:00:00Z"), Some("1.10"), false)[0].contains("went back"));
        assert!(list.refusals(at("2011-04-09T00:00:00Z"), None, true)[0].contains("absent"));
        let undated = VulnerabilityList::read(b"#FORMAT 1.1.0\na<1 x u\n", None).unwrap();
        assert!(undated.refusals(at("2011-04-09T00:00:00Z"), None, false)[0].contains("how old"));
        let empty = LIST.split_inclusive('\n').take(2).collect::<String>();
        let empty = VulnerabilityList::read(empty.as_bytes(), None).unwrap();
        assert!(empty.refusals(at("2011-04-09T00:00:00Z"), None, false)[0].contains("no entry"));
    }

    #[test]
    fn a_list_that_nothing_holds_together_must_end_with_a_line() {
        let list = VulnerabilityList::read(&LIST.as_bytes()[..LIST.len() - 3], None).unwrap();
        assert_eq!(list.problems()[0].0, 4);
    }
}
