//! `feed lint`: a triage folder's entries, each checked by itself and, with sources at hand, for whether it matters.

use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::identity::{self, Stance};
use aux_advisory::record::{Product, Record};
use aux_advisory::triage::{Identity, Place, Triage, TriageError};
use aux_core::Ecosystem;
use aux_core::naming::fold;
use jiff::civil::Date;

use crate::compile::{BuildError, BuildRequest, material};
use crate::decisions::in_vain;
use crate::triage::read_triage;

/// What to check.
#[derive(Debug, Clone)]
pub struct LintRequest {
    /// Its triage folder is checked; its sources may be empty.
    pub sources: BuildRequest,
    /// Statements that expired before this day are noted.
    pub today: Date,
}

/// What the check found.
#[derive(Debug, Clone, Default)]
pub struct Linted {
    pub entries: usize,
    /// Package names that identities decide.
    pub names: usize,
    /// By file and line.
    pub notes: Vec<TriageError>,
}

/// Checks a folder.
pub fn lint(request: &LintRequest, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Linted, BuildError> {
    let folder = request.sources.triage.as_deref().map(read_triage).unwrap_or_default();
    let triage = &folder.triage;
    let mut notes = folder.errors;
    notes.extend(duplicates(triage));
    notes.extend(expired(triage, request.today));
    let has_sources = [&request.sources.nvd, &request.sources.osv, &request.sources.cve5, &request.sources.pkgsrc];
    if has_sources.iter().any(|paths| !paths.is_empty()) {
        let sources = BuildRequest { triage: None, ..request.sources.clone() };
        let records = material(&sources, progress)?.records;
        notes.extend(without_effect(triage, &records));
        notes.extend(in_vain(triage, &records));
    }
    notes.sort();
    let entries = triage.identities.len()
        + triage.vendors.len()
        + triage.statements.len()
        + triage.classes.len()
        + triage.fixes.len();
    let names =
        triage.identities.iter().flat_map(|identity| &identity.names).map(|name| fold(name)).collect::<BTreeSet<_>>();
    Ok(Linted { entries, names: names.len(), notes })
}

fn note(place: &Place, message: impl Into<String>) -> TriageError {
    TriageError { place: place.clone(), message: message.into() }
}

/// A name decided twice, where one decision contradicts or repeats the other.
fn duplicates(triage: &Triage) -> Vec<TriageError> {
    let mut seen: BTreeMap<(Ecosystem, String), &Place> = BTreeMap::new();
    let mut notes = Vec::new();
    for identity in &triage.identities {
        for name in &identity.names {
            let key = (identity.ecosystem.clone(), fold(name));
            match seen.get(&key) {
                Some(first) => notes.push(note(&identity.place, format!("`{name}` is decided at {first} already"))),
                None => drop(seen.insert(key, &identity.place)),
            }
        }
    }
    notes
}

fn expired(triage: &Triage, today: Date) -> Vec<TriageError> {
    let ended = triage.statements.iter().filter(|statement| statement.expires.is_some_and(|expires| expires < today));
    ended
        .map(|statement| note(&statement.place, "the statement expired; renew it with a reason or remove it"))
        .collect()
}

/// Entries that change nothing: products no advisory names, and what the rule already says.
fn without_effect(triage: &Triage, records: &[Record]) -> Vec<TriageError> {
    let products: BTreeSet<Product> = records
        .iter()
        .filter(|record| !record.withdrawn)
        .flat_map(|record| record.affected.iter().map(|entry| entry.product.clone()))
        .collect();
    let stances = identity::by_rule(&products, &triage.vendors);
    let mut by_name: BTreeMap<String, Vec<(&Product, Stance)>> = BTreeMap::new();
    for (product, stance) in &stances {
        by_name.entry(fold(product.name())).or_default().push((product, *stance));
    }
    let mut notes = Vec::new();
    for identity in &triage.identities {
        for product in identity.affirm.iter().filter(|product| !products.contains(product)) {
            notes.push(note(&identity.place, format!("no advisory names {product}")));
        }
        if !identity.names.iter().any(|name| has_effect(identity, name, &stances, &by_name)) {
            notes.push(note(&identity.place, "it changes no verdict: the rule alone says the same"));
        }
    }
    notes
}

/// Whether the name's products stand differently with the entry than without.
fn has_effect(
    identity: &Identity,
    name: &str,
    stances: &BTreeMap<Product, Stance>,
    by_name: &BTreeMap<String, Vec<(&Product, Stance)>>,
) -> bool {
    let folded = fold(name);
    let affirms = |product: &Product| {
        let by_rule = if fold(product.name()) == folded { stances.get(product).copied() } else { None };
        stances.contains_key(product) && by_rule != Some(Stance::Affirmed)
    };
    let namesakes = by_name.get(&folded).map_or(&[][..], Vec::as_slice);
    let denies = |product: &Product| {
        let denied = |denial: &aux_advisory::triage::Denial| match &denial.product {
            Some(denied) => denied == product,
            None => fold(&denial.name) == folded,
        };
        identity.deny.iter().any(denied) && !identity.affirm.contains(product)
    };
    identity.affirm.iter().any(affirms) || namesakes.iter().any(|(product, _)| denies(product))
}
