//! A derivation graph as an inventory: packages with their outputs, patches and shortest way from a root.

mod cve;
mod facts;
mod links;
mod naming;
mod patches;
mod role;
mod tree;

pub use cve::{cve_ids, cve_ids_of_patch};
pub use naming::PackageName;

use aux_core::{Component, Ecosystem, Inventory, Problem, Scope, TargetKind};
use aux_nix::Derivation;
use facts::Facts;
use links::{Entry, Links};
use patches::Patches;
use role::Role;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// Reads a file of the store, where the caller has one: patches are searched for CVE ids.
pub type ReadStore<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The derivations of one name and version.
#[derive(Default)]
struct Group {
    /// Built from source: their patches count.
    packages: Vec<usize>,
    /// Wrappers that bear the same name: their outputs count.
    wrappers: Vec<usize>,
}

/// What a set of derivations, each with its store path, is made of.
///
/// Derivations may come in any order; the answer depends on the set alone.
pub fn inventory<'g, P: AsRef<str>, D: Borrow<Derivation<'g>>>(
    name: &str,
    kind: TargetKind,
    derivations: &'g [(P, D)],
    read_store: ReadStore<'_>,
) -> Inventory {
    let Links { entries, problems } = Links::new(derivations);
    let facts: Vec<Facts> = entries.iter().map(|entry| Facts::of(entry.derivation)).collect();
    let names: Vec<PackageName> = entries.iter().zip(&facts).map(|(entry, facts)| name_of(entry, facts)).collect();
    let roles = roles(&entries, &facts, &names);
    let is_component: Vec<bool> = roles.iter().map(|role| *role != Role::Other).collect();
    let (tree, places) = tree::tree(&entries, &is_component);

    let mut inventory = Inventory { tree, problems, ..Inventory::new(name, kind) };
    inventory.problems.extend(
        entries
            .iter()
            .zip(&facts)
            .filter(|(_, facts)| facts.unreadable_attributes)
            .map(|(entry, _)| Problem::new(entry.path, "its structured attributes are no JSON object")),
    );
    let mut patches = Patches::new(&entries, &facts, read_store);
    for (package, group) in groups(&entries, &names, &roles) {
        let members = || group.packages.iter().chain(&group.wrappers).copied();
        let outputs: BTreeSet<String> =
            members().filter_map(|position| entries.get(position)).flat_map(outputs_of).collect();
        let known: BTreeSet<String> = members()
            .filter_map(|position| facts.get(position))
            .flat_map(|facts| facts.known_vulnerabilities.iter().cloned())
            .collect();
        inventory.components.push(Component {
            ecosystem: Ecosystem::NIX,
            name: package.name,
            version: package.version,
            purl: None,
            cpe: None,
            outputs: outputs.into_iter().collect(),
            patches: patches.carried_by(&group.packages),
            known_vulnerabilities: known.into_iter().collect(),
            scope: Scope::Unknown,
            node: members().filter_map(|position| places.get(position).copied().flatten()).min(),
        });
    }
    inventory
}

/// Says of each component whether it runs: an output of it is in the closure of what runs, or none is.
///
/// A component whose output paths are not known before the build stays unknown.
pub fn apply_runtime_closure(inventory: &mut Inventory, closure: &BTreeSet<String>) {
    for component in &mut inventory.components {
        component.scope = if component.outputs.iter().any(|output| closure.contains(output)) {
            Scope::Runtime
        } else if component.outputs.iter().all(|output| output.strip_suffix(".drv").is_some()) {
            Scope::Unknown
        } else {
            Scope::Build
        };
    }
}

fn name_of(entry: &Entry<'_>, facts: &Facts) -> PackageName {
    PackageName::with_hints(entry.store_name(), facts.package.as_deref(), facts.version.as_deref())
}

/// Judges each derivation, and of each wrapper what becomes of it.
fn roles(entries: &[Entry<'_>], facts: &[Facts], names: &[PackageName]) -> Vec<Role> {
    let judged = entries.iter().zip(facts).zip(names);
    let roles: Vec<Role> = judged.map(|((entry, facts), package)| Role::of(entry, facts, package)).collect();
    let settle = |((entry, package), role): ((&Entry<'_>, &PackageName), &Role)| match role {
        Role::Wrapper if wrapped(entry, package, names, &roles).next().is_some() => Role::Wrapper,
        // What it wraps is needed and not here: it has to stand for it.
        Role::Wrapper if wraps_missing(entry, package) => Role::Package,
        Role::Wrapper => Role::Other,
        other => *other,
    };
    entries.iter().zip(names).zip(&roles).map(settle).collect()
}

/// The packages of the wrapper's own version that it takes in directly.
fn wrapped<'n>(
    wrapper: &'n Entry<'_>,
    package: &'n PackageName,
    names: &'n [PackageName],
    roles: &'n [Role],
) -> impl Iterator<Item = &'n PackageName> {
    let inputs = wrapper.inputs.iter().filter_map(|&input| usize::try_from(input).ok());
    let packages = inputs.filter(|&input| roles.get(input) == Some(&Role::Package));
    packages.filter_map(|input| names.get(input)).filter(|wrapped| wrapped.version == package.version)
}

fn wraps_missing(wrapper: &Entry<'_>, package: &PackageName) -> bool {
    let missing = wrapper.missing.iter().filter(|name| !role::is_file_name(name));
    missing.map(|name| PackageName::of_derivation(name)).any(|wrapped| wrapped.version == package.version)
}

/// Groups derivations by name and version.
///
/// Where a wrapper's name begins the name of the one package it wraps (`mesa` around `mesa-noglu`), the wrapper's name
/// is what people and advisories call the package, and both are one component. Any other wrapper
/// (`mesa-drivers+txc`, `glibc-iconv`) only repeats a component and is left out.
fn groups(entries: &[Entry<'_>], names: &[PackageName], roles: &[Role]) -> BTreeMap<PackageName, Group> {
    let mut renamed: BTreeMap<&PackageName, &str> = BTreeMap::new();
    let mut wrappers: Vec<(usize, &PackageName)> = Vec::new();
    for (position, ((entry, wrapper), role)) in entries.iter().zip(names).zip(roles).enumerate() {
        if *role != Role::Wrapper {
            continue;
        }
        let candidates: BTreeSet<&PackageName> =
            wrapped(entry, wrapper, names, roles).filter(|package| extends(&package.name, &wrapper.name)).collect();
        if candidates.len() > 1 {
            continue;
        }
        let Some(package) = candidates.first() else { continue };
        let shortest = renamed.entry(package).or_insert(&wrapper.name);
        if (wrapper.name.len(), wrapper.name.as_str()) < (shortest.len(), *shortest) {
            *shortest = &wrapper.name;
        }
        wrappers.push((position, wrapper));
    }
    let mut groups: BTreeMap<PackageName, Group> = BTreeMap::new();
    for (position, (package, _)) in names.iter().zip(roles).enumerate().filter(|(_, (_, role))| **role == Role::Package)
    {
        let name = renamed.get(package).map_or(package.name.as_str(), |name| name);
        let key = PackageName { name: name.to_owned(), version: package.version.clone() };
        groups.entry(key).or_default().packages.push(position);
    }
    for (position, wrapper) in wrappers {
        if let Some(group) = groups.get_mut(wrapper) {
            group.wrappers.push(position);
        }
    }
    groups
}

/// Whether a name is another one, or another one with more words after it.
fn extends(name: &str, start: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The output paths of a derivation; its own path where none is known before the build.
fn outputs_of(entry: &Entry<'_>) -> BTreeSet<String> {
    let known = entry.derivation.outputs.iter().map(|output| &output.path).filter(|path| !path.is_empty());
    let mut outputs: BTreeSet<String> = known.map(|path| path.lossy().into_owned()).collect();
    if outputs.is_empty() {
        outputs.insert(entry.path.to_owned());
    }
    outputs
}

#[cfg(test)]
mod tests;
