//! One component against one index: every advisory that names it, with the outcome and the reason.

use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::identity::Stance;
use aux_advisory::index::{AdvisoryKey, Entry, Index};
use aux_advisory::record::{Bound, Platform, VersionRange};
use aux_core::naming::fold;
use aux_core::version::{self, Scheme};
use aux_core::{Component, Ecosystem};

use crate::identify::{Candidate, candidates};

/// What an advisory's entry says of a component's version and place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// In this range.
    Affected(String),
    /// Named, but the version cannot be ordered or the source names none.
    Unknown(String),
    /// Read and found outside every range.
    OutOfRange(String),
    /// It applies elsewhere: another platform, a plugin, or together with what is not here.
    Elsewhere(String),
}

/// One advisory on one component, through one product.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    pub(crate) advisory: AdvisoryKey,
    pub(crate) product: String,
    pub(crate) stance: Stance,
    /// Why the component is taken for the product.
    pub(crate) identity: String,
    pub(crate) outcome: Outcome,
    pub(crate) fixed: Vec<String>,
}

/// What is present beside the component, by folded name: conditions such as "together with" are weighed against it.
pub(crate) type Present = BTreeSet<String>;

/// The best match of every advisory on the component; those out of range or elsewhere are left out.
pub(crate) fn matches(index: &Index<'_>, component: &Component, present: &Present) -> BTreeMap<AdvisoryKey, Match> {
    let mut best: BTreeMap<AdvisoryKey, Match> = BTreeMap::new();
    let mut settled: BTreeSet<AdvisoryKey> = BTreeSet::new();
    let candidates = candidates(index, component);
    for candidate in candidates.iter().filter(|candidate| candidate.stance != Stance::Denied) {
        for entry in candidate.block.entries() {
            let found = weigh(candidate, &entry, component, present);
            match found.outcome {
                Outcome::Affected(_) | Outcome::Unknown(_) => {
                    let kept = best.entry(entry.advisory).or_insert_with(|| found.clone());
                    if rank(&found) < rank(kept) {
                        *kept = found;
                    }
                }
                Outcome::OutOfRange(_) if found.stance == Stance::Affirmed => {
                    settled.insert(entry.advisory);
                }
                Outcome::OutOfRange(_) | Outcome::Elsewhere(_) => {}
            }
        }
    }
    // Where one affirmed product's range was read and the version is outside it, another entry that names no version
    // adds no doubt.
    best.retain(|key, found| !(matches!(found.outcome, Outcome::Unknown(_)) && settled.contains(key)));
    best
}

fn rank(found: &Match) -> (u8, u8) {
    let outcome = u8::from(!matches!(found.outcome, Outcome::Affected(_)));
    (outcome, found.stance.as_byte())
}

/// Every match of one advisory on the component, whatever the outcome: what `--explain` tells.
pub(crate) fn trace(index: &Index<'_>, component: &Component, present: &Present, advisory: AdvisoryKey) -> Vec<Match> {
    let candidates = candidates(index, component);
    candidates
        .iter()
        .flat_map(|candidate| candidate.block.entries().map(move |entry| (candidate, entry)))
        .filter(|(_, entry)| entry.advisory == advisory)
        .map(|(candidate, entry)| weigh(candidate, &entry, component, present))
        .collect()
}

fn weigh(candidate: &Candidate<'_>, entry: &Entry<'_>, component: &Component, present: &Present) -> Match {
    let mut stance = candidate.stance;
    let outcome = match place(candidate, entry, present, &mut stance) {
        Some(elsewhere) => Outcome::Elsewhere(elsewhere),
        None => version_outcome(entry, component),
    };
    let fixed =
        if matches!(outcome, Outcome::Affected(_)) { fixed_versions(entry, &component.version) } else { Vec::new() };
    Match {
        advisory: entry.advisory,
        product: candidate.block.product.clone(),
        stance,
        identity: candidate.reason.clone(),
        outcome,
        fixed,
    }
}

/// Why the entry does not apply here, if it does not; a doubt about the language lowers the stance instead.
fn place(candidate: &Candidate<'_>, entry: &Entry<'_>, present: &Present, stance: &mut Stance) -> Option<String> {
    match entry.platform {
        Platform::Foreign => return Some("it applies on other operating systems only".to_owned()),
        Platform::Plugin if !candidate.is_named => return Some("it is about a plugin of that name".to_owned()),
        Platform::PaidEdition => return Some("it is about a paid edition".to_owned()),
        Platform::Language(language) if !candidate.is_named => match candidate.language {
            Some(own) if own == language => {}
            Some(_) => return Some("it is about a library of another language".to_owned()),
            None => *stance = (*stance).max(Stance::Unreviewed),
        },
        Platform::Any | Platform::Unix if candidate.language.is_some() && !candidate.is_named => {
            *stance = (*stance).max(Stance::Unreviewed);
        }
        _ => {}
    }
    let needed = &entry.together_with;
    let is_met = needed.is_empty()
        || needed.iter().any(|product| present.contains(&fold(product.rsplit(':').next().unwrap_or(product))));
    (!is_met).then(|| format!("it applies only together with {}, which is not here", needed.join(" or ")))
}

fn version_outcome(entry: &Entry<'_>, component: &Component) -> Outcome {
    let version = component.version.as_str();
    if let Some(pattern) = entry.pattern {
        return match pkgsrc::Pattern::new(pattern) {
            Ok(pattern) if pattern.matches(&format!("{}-{version}", component.name)) => {
                Outcome::Affected(format!("matches {}", pattern.pattern()))
            }
            Ok(pattern) => Outcome::OutOfRange(format!("does not match {}", pattern.pattern())),
            Err(_) => Outcome::Unknown(format!("the pattern {pattern} cannot be read")),
        };
    }
    if entry.versions.is_empty() {
        return Outcome::Unknown("the advisory names no version".to_owned());
    }
    let mut in_doubt = None;
    for range in &entry.versions {
        match range.holds(entry.scheme, version) {
            Some(true) => return Outcome::Affected(format!("{version} is in the range {range}")),
            Some(false) => {}
            None => in_doubt = Some(range),
        }
    }
    match in_doubt {
        Some(range) => Outcome::Unknown(format!("{} cannot be ordered against {range}", shown(version))),
        None => Outcome::OutOfRange(format!("{version} is in none of: {}", listed(&entry.versions))),
    }
}

fn shown(version: &str) -> String {
    if version.is_empty() { "a component without a version".to_owned() } else { format!("the version {version}") }
}

fn listed(ranges: &[VersionRange<&str>]) -> String {
    const SHOWN: usize = 6;
    let mut text = ranges.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(" · ");
    if ranges.len() > SHOWN {
        text.push_str(" · …");
    }
    text
}

/// Versions above the component's own that fix it, in order.
fn fixed_versions(entry: &Entry<'_>, version: &str) -> Vec<String> {
    let ends = entry.versions.iter().filter_map(|range| match range.high {
        Bound::Excluding(end) => Some(end),
        _ => None,
    });
    let above = |fixed: &&str| version::compare(entry.scheme, fixed, version).is_some_and(std::cmp::Ordering::is_gt);
    let mut fixed: Vec<&str> = ends.chain(entry.fixed.iter().copied()).filter(above).collect();
    fixed.sort_by(|left, right| version::compare(entry.scheme, left, right).unwrap_or(left.cmp(right)));
    fixed.dedup();
    fixed.into_iter().map(str::to_owned).collect()
}

/// The scheme in which a component's own versions are compared.
pub(crate) fn scheme_of(component: &Component) -> Scheme {
    if component.ecosystem == Ecosystem::PKGSRC { Scheme::Dewey } else { Scheme::Generic }
}
