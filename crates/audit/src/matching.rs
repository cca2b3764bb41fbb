//! One component against one index: every advisory that names it, with the outcome and the reason.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::identity::Stance;
use aux_advisory::index::{AdvisoryKey, Damaged, Entry};
use aux_advisory::record::{Bound, Language, Platform, Product, VersionRange};
use aux_core::naming::fold;
use aux_core::version::{self, Scheme};
use aux_core::{Component, Ecosystem};

use crate::identify::Candidate;

/// What an advisory's entry says of a component's version and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    /// In this range, or matching the entry's pattern where there is none.
    Affected(Option<VersionRange<&'a str>>),
    /// Named, but the version cannot be ordered against this range, or the source names none.
    Unknown(Option<VersionRange<&'a str>>),
    /// Read and found outside every range.
    OutOfRange,
    /// It applies elsewhere: another platform, a plugin, or together with what is not here.
    Elsewhere(&'static str),
}

/// One advisory on one component, through one product.
#[derive(Debug, Clone)]
pub(crate) struct Match<'c, 'a> {
    pub(crate) candidate: &'c Candidate<'a>,
    pub(crate) entry: Entry<'a>,
    /// The candidate's, or lower where the entry leaves a doubt.
    pub(crate) stance: Stance,
    pub(crate) outcome: Outcome<'a>,
}

/// What is present beside the component, by folded name: conditions such as "together with" are weighed against it.
pub(crate) type Present = BTreeSet<String>;

/// The best match of every advisory on the component; those out of range or elsewhere are left out.
pub(crate) fn matches<'c, 'a>(
    candidates: &'c [Candidate<'a>],
    component: &Component,
    present: &Present,
) -> Result<BTreeMap<AdvisoryKey, Match<'c, 'a>>, Damaged> {
    let mut best: BTreeMap<AdvisoryKey, Match<'c, 'a>> = BTreeMap::new();
    let mut settled: BTreeSet<AdvisoryKey> = BTreeSet::new();
    for candidate in candidates.iter().filter(|candidate| candidate.stance != Stance::Denied) {
        for entry in candidate.block.entries() {
            let found = weigh(candidate, entry?, component, present);
            let advisory = found.entry.advisory;
            match found.outcome {
                Outcome::Affected(_) | Outcome::Unknown(_) => match best.get(&advisory) {
                    Some(kept) if rank(kept) <= rank(&found) => {}
                    _ => drop(best.insert(advisory, found)),
                },
                Outcome::OutOfRange if found.stance == Stance::Affirmed => drop(settled.insert(advisory)),
                Outcome::OutOfRange | Outcome::Elsewhere(_) => {}
            }
        }
    }
    // Where one affirmed product's range was read and the version is outside it, another entry that names no version
    // adds no doubt.
    best.retain(|key, found| !(matches!(found.outcome, Outcome::Unknown(_)) && settled.contains(key)));
    Ok(best)
}

fn rank(found: &Match<'_, '_>) -> (u8, u8) {
    let outcome = u8::from(!matches!(found.outcome, Outcome::Affected(_)));
    (outcome, found.stance.as_byte())
}

/// Every match of one advisory on the component, whatever the outcome: what `--explain` tells.
pub(crate) fn trace<'c, 'a>(
    candidates: &'c [Candidate<'a>],
    component: &Component,
    present: &Present,
    advisory: AdvisoryKey,
) -> Result<Vec<Match<'c, 'a>>, Damaged> {
    let mut found = Vec::new();
    for candidate in candidates {
        for entry in candidate.block.entries() {
            let entry = entry?;
            if entry.advisory == advisory {
                found.push(weigh(candidate, entry, component, present));
            }
        }
    }
    Ok(found)
}

fn weigh<'c, 'a>(
    candidate: &'c Candidate<'a>,
    entry: Entry<'a>,
    component: &Component,
    present: &Present,
) -> Match<'c, 'a> {
    let mut stance = candidate.stance;
    let outcome = match place(candidate, &entry, present, &mut stance) {
        Some(elsewhere) => Outcome::Elsewhere(elsewhere),
        None => version_outcome(&entry, component),
    };
    Match { candidate, entry, stance, outcome }
}

/// Why the entry does not apply here, if it does not; a doubt about the language lowers the stance instead.
fn place(candidate: &Candidate<'_>, entry: &Entry<'_>, present: &Present, stance: &mut Stance) -> Option<&'static str> {
    match entry.platform {
        Platform::Foreign => return Some("it applies on other systems only"),
        Platform::Plugin if !candidate.is_exact => return Some("it is about a plugin, not the program itself"),
        Platform::PaidEdition => return Some("it is about a paid edition"),
        Platform::Language(language) if !candidate.is_named => match candidate.language {
            Some(own) if own == language => {}
            Some(_) => return Some("it is about a library of another language"),
            // A program of its own that happens to be written in that language; only npm's names are too short to trust.
            None if language == Language::Node => *stance = (*stance).max(Stance::Unreviewed),
            None => {}
        },
        Platform::Any | Platform::Unix if candidate.language.is_some() && !candidate.is_named => {
            *stance = (*stance).max(Stance::Unreviewed);
        }
        _ => {}
    }
    let needed = &entry.together_with;
    let is_here =
        |product: &&str| Product::read(product).is_some_and(|product| present.contains(&fold(product.name())));
    (!needed.is_empty() && !needed.iter().any(is_here)).then_some("what it applies together with is not here")
}

fn version_outcome<'a>(entry: &Entry<'a>, component: &Component) -> Outcome<'a> {
    if let Some(pattern) = entry.pattern {
        return match pkgsrc::Pattern::new(pattern) {
            Ok(pattern) if pattern.matches(&format!("{}-{}", component.name, component.version)) => {
                Outcome::Affected(None)
            }
            Ok(_) => Outcome::OutOfRange,
            Err(_) => Outcome::Unknown(None),
        };
    }
    if entry.versions.is_empty() {
        return Outcome::Unknown(None);
    }
    let mut in_doubt = None;
    for range in &entry.versions {
        match range.holds(entry.scheme, &component.version) {
            Some(true) => return Outcome::Affected(Some(range.clone())),
            Some(false) => {}
            None => in_doubt = Some(range.clone()),
        }
    }
    in_doubt = in_doubt.or_else(|| {
        let base = without_patch_count(component)?;
        entry.versions.iter().find(|range| range.holds(entry.scheme, base) == Some(true)).cloned()
    });
    in_doubt.map_or(Outcome::OutOfRange, |range| Outcome::Unknown(Some(range)))
}

/// nixpkgs writes `2.38-44` for upstream's 2.38 with the 44 commits of its release branch. Where 2.38 is affected, such a
/// version may or may not have the fix.
fn without_patch_count(component: &Component) -> Option<&str> {
    const DIGITS_MAX: usize = 3;
    let (base, count) = component.version.rsplit_once('-')?;
    let is_count = (1..=DIGITS_MAX).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
    (component.ecosystem == Ecosystem::NIX && is_count && !base.contains('-')).then_some(base)
}

impl Match<'_, '_> {
    /// The outcome as a fragment of a sentence.
    pub(crate) fn reason(&self, component: &Component) -> String {
        let version = &component.version;
        let shown =
            if version.is_empty() { "a component without a version".to_owned() } else { format!("version {version}") };
        match (&self.outcome, self.entry.pattern) {
            (Outcome::Affected(Some(range)), _) => format!("{version} is in the range {range}"),
            (Outcome::Affected(None), pattern) => format!("{shown} matches {}", pattern.unwrap_or("every version")),
            (Outcome::Unknown(Some(range)), _) => format!("{shown} cannot be ordered against {range}"),
            (Outcome::Unknown(None), Some(pattern)) => format!("the pattern {pattern} cannot be read"),
            (Outcome::Unknown(None), None) => "the advisory names no version".to_owned(),
            (Outcome::OutOfRange, Some(pattern)) => format!("{shown} does not match {pattern}"),
            (Outcome::OutOfRange, None) => format!("{shown} is in none of: {}", listed(&self.entry.versions)),
            (Outcome::Elsewhere(why), _) if self.entry.together_with.is_empty() => (*why).to_owned(),
            (Outcome::Elsewhere(why), _) => format!("{why}: {}", self.entry.together_with.join(" or ")),
        }
    }

    /// Versions above the component's own that fix it, in order.
    pub(crate) fn fixed_versions(&self, version: &str) -> Vec<String> {
        let scheme = self.entry.scheme;
        let ends = self.entry.versions.iter().filter_map(|range| match range.high {
            Bound::Excluding(end) => Some(end),
            _ => None,
        });
        let is_above = |fixed: &&str| version::compare(scheme, fixed, version).is_some_and(Ordering::is_gt);
        let mut fixed: Vec<&str> = ends.chain(self.entry.fixed.iter().copied()).filter(is_above).collect();
        fixed.sort_by(|left, right| version::sort(scheme, left, right));
        fixed.dedup();
        fixed.into_iter().map(str::to_owned).collect()
    }
}

fn listed(ranges: &[VersionRange<&str>]) -> String {
    const SHOWN: usize = 6;
    let mut text = ranges.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(" · ");
    if ranges.len() > SHOWN {
        text.push_str(" · …");
    }
    text
}

/// The scheme in which a component's own versions are compared.
pub(crate) fn scheme_of(component: &Component) -> Scheme {
    if component.ecosystem == Ecosystem::PKGSRC { Scheme::Dewey } else { Scheme::Generic }
}
