//! Statements, classes and fixes of a triage folder that change nothing: no advisory bears the id, or none of the
//! products it names is the package.

use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::identity::lookup_names;
use aux_advisory::record::{Product, Record};
use aux_advisory::triage::{Place, Triage, TriageError};
use aux_core::naming::fold;
use aux_core::{Component, Ecosystem};

/// What an advisory names, by each of the advisory's ids.
type ByAnyId<'r> = BTreeMap<&'r str, BTreeSet<&'r Product>>;

/// A note for every id that an entry names in vain.
pub(crate) fn in_vain(triage: &Triage, records: &[Record]) -> Vec<TriageError> {
    let mut named = ByAnyId::new();
    for record in records.iter().filter(|record| !record.withdrawn) {
        for id in std::iter::once(&record.id).chain(&record.aliases) {
            named.entry(id).or_default().extend(record.affected.iter().map(|entry| &entry.product));
        }
    }
    let mut notes = Vec::new();
    for entry in &triage.classes {
        let unknown = entry.ids.iter().filter(|id| !named.contains_key(id.as_str()));
        notes.extend(unknown.map(|id| note(&entry.place, no_advisory(id))));
    }
    let statements = triage.statements.iter().map(|entry| (&entry.place, &entry.package, &entry.ids));
    let fixes = triage.fixes.iter().map(|entry| (&entry.place, &entry.package, &entry.ids));
    let mut known_as = BTreeMap::new();
    for (place, package, ids) in statements.chain(fixes) {
        let names = known_as.entry(package).or_insert_with(|| KnownAs::new(package, triage));
        for id in ids {
            match named.get(id.as_str()) {
                None => notes.push(note(place, no_advisory(id))),
                Some(products) if !products.iter().any(|product| names.may_be(product)) => {
                    notes.push(note(
                        place,
                        format!("{id} names no product that {package} is, so the entry changes nothing"),
                    ));
                }
                Some(_) => {}
            }
        }
    }
    notes
}

fn no_advisory(id: &str) -> String {
    format!("no advisory is called {id}")
}

fn note(place: &Place, message: String) -> TriageError {
    TriageError { place: place.clone(), message }
}

/// What a package may be called in advisories. A product that was denied counts: a statement may have the last word on it.
struct KnownAs<'t> {
    ecosystem: Ecosystem,
    /// Folded.
    names: BTreeSet<String>,
    affirmed: BTreeSet<&'t Product>,
}

impl<'t> KnownAs<'t> {
    fn new(package: &Product, triage: &'t Triage) -> Self {
        let ecosystem = match package {
            Product::Package { ecosystem, .. } => ecosystem.clone(),
            Product::Cpe { .. } => Ecosystem::NIX,
        };
        let component = Component::named(ecosystem.clone(), package.name(), "", "");
        let mut names: BTreeSet<String> = lookup_names(&component).into_iter().map(|name| name.folded).collect();
        names.insert(fold(package.name()));
        let is_meant = |name: &String| names.contains(&fold(name));
        let identities = triage.identities.iter().filter(|identity| identity.names.iter().any(is_meant));
        Self { affirmed: identities.flat_map(|identity| &identity.affirm).collect(), ecosystem, names }
    }

    fn may_be(&self, product: &Product) -> bool {
        let is_named = || self.names.contains(&fold(product.name()));
        self.affirmed.contains(product)
            || match product {
                Product::Cpe { .. } => is_named(),
                Product::Package { ecosystem, .. } => *ecosystem == self.ecosystem && is_named(),
            }
    }
}
