//! What the readers have in common: a place to put components, trees and problems, from one document or many.

use crate::graph_order::Order;
use aux_core::limits::DERIVATIONS_BYTES_MAX;
use aux_core::{Component, Configuration, Ecosystem, FlakeInput, Inventory, Node, Problem, Scope, TargetKind};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Problems kept of one target; a file of garbage must not become a report of garbage.
const PROBLEMS_MAX: usize = 200;

/// Ecosystem, name, version and CPE name: two CPE names under one package name are two products.
type Key = (Ecosystem, String, String, Option<String>);

/// Everything read so far from one target.
#[derive(Debug, Default)]
pub struct Gathered {
    kind: Option<TargetKind>,
    components: BTreeMap<Key, Component>,
    tree: Vec<Node>,
    pub inputs: Vec<FlakeInput>,
    /// How the system is configured; the first document that tells is believed.
    pub configuration: Option<Box<Configuration>>,
    problems: Vec<Problem>,
    problems_left_out: usize,
    /// Derivations (`.drv`) met among the documents, by name; they make sense only together.
    pub(crate) derivations: Vec<(String, Vec<u8>)>,
    derivation_bytes: u64,
}

impl Gathered {
    /// Notes what kind of document was recognised; the first one names the target.
    pub fn recognise(&mut self, kind: TargetKind) {
        self.kind.get_or_insert(kind);
    }

    /// Adds a component, or its outputs and patches to the one already there.
    pub fn add(&mut self, component: Component) {
        let (name, version) = (component.name.clone(), component.version.clone());
        match self.components.entry((component.ecosystem.clone(), name, version, component.cpe.clone())) {
            Entry::Vacant(vacant) => {
                vacant.insert(component);
            }
            Entry::Occupied(occupied) => merge(occupied.into_mut(), component),
        }
    }

    /// Keeps a derivation for the graph reader.
    pub fn add_derivation(&mut self, name: &str, bytes: Vec<u8>) {
        self.derivation_bytes = self.derivation_bytes.saturating_add(bytes.len() as u64);
        if self.derivation_bytes > DERIVATIONS_BYTES_MAX {
            let limit = format!("left out: the derivations are larger than {DERIVATIONS_BYTES_MAX} bytes together");
            return self.problem(name, format!("{limit} (DERIVATIONS_BYTES_MAX)"));
        }
        self.derivations.push((name.to_owned(), bytes));
    }

    pub fn problem(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem::new(subject, message));
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Adds a breadth-first tree and says how far its node numbers were moved.
    pub(crate) fn add_tree(&mut self, order: Order) -> u32 {
        let offset = u32::try_from(self.tree.len()).unwrap_or(u32::MAX);
        self.tree.extend(
            order.tree.into_iter().map(|node| Node {
                label: node.label,
                parent: node.parent.map(|parent| parent.saturating_add(offset)),
            }),
        );
        offset
    }

    /// Adds what another reader made of the same target.
    pub fn append(&mut self, inventory: Inventory) {
        let offset = self.add_tree(Order { tree: inventory.tree, place: Vec::new() });
        self.recognise(inventory.kind);
        for mut component in inventory.components {
            component.node = component.node.map(|node| node.saturating_add(offset));
            self.add(component);
        }
        self.inputs.extend(inventory.inputs);
        for problem in inventory.problems {
            self.problem(problem.subject, problem.message);
        }
    }

    /// Whether nothing at all came of the target so far.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
            && self.inputs.is_empty()
            && self.problems.is_empty()
            && self.derivations.is_empty()
            && self.kind.is_none()
            && self.configuration.is_none()
    }

    pub fn finish(mut self, name: &str) -> Inventory {
        let mut inventory = Inventory::new(name, self.kind.unwrap_or(TargetKind::Unrecognised));
        inventory.components = joined_products(self.components);
        for component in &mut inventory.components {
            for list in [&mut component.outputs, &mut component.known_vulnerabilities] {
                list.sort_unstable();
                list.dedup();
            }
        }
        inventory.tree = self.tree;
        inventory.inputs = self.inputs;
        inventory.configuration = self.configuration;
        if self.problems_left_out > 0 {
            self.problems
                .push(Problem::new(name, format!("and {} more problems of this target", self.problems_left_out)));
        }
        inventory.problems = self.problems;
        inventory
    }
}

/// What was seen without a CPE name is the first of those seen with one; it stands right before them.
fn joined_products(components: BTreeMap<Key, Component>) -> Vec<Component> {
    let mut joined: Vec<Component> = Vec::with_capacity(components.len());
    for component in components.into_values() {
        match joined.last_mut() {
            Some(last) if last.cpe.is_none() && same_package(last, &component) => {
                last.cpe.clone_from(&component.cpe);
                merge(last, component);
            }
            _ => joined.push(component),
        }
    }
    joined
}

fn same_package(left: &Component, right: &Component) -> bool {
    left.name == right.name && left.version == right.version && left.ecosystem == right.ecosystem
}

/// What one place needs to run is needed to run; build-only is only what every place says is.
pub(crate) fn joined(left: Scope, right: Scope) -> Scope {
    match (left, right) {
        (Scope::Runtime, _) | (_, Scope::Runtime) => Scope::Runtime,
        (Scope::Build, Scope::Build) => Scope::Build,
        _ => Scope::Unknown,
    }
}

fn merge(one: &mut Component, other: Component) {
    // A patch counts only where every build of this version carries it.
    let carried: BTreeSet<_> = other.patches.into_iter().collect();
    one.patches.retain(|patch| carried.contains(patch));
    one.outputs.extend(other.outputs);
    one.known_vulnerabilities.extend(other.known_vulnerabilities);
    one.scope = joined(one.scope, other.scope);
    one.purl = one.purl.take().or(other.purl);
    // The tree is breadth-first, so the smaller number stands no deeper.
    one.node = match (one.node, other.node) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::Patch;

    #[test]
    fn outputs_are_grouped_and_a_patch_counts_only_when_all_carry_it() {
        let patch = |path: &str| Patch { path: path.to_owned(), urls: Vec::new(), cves: Vec::new() };
        let mut gathered = Gathered::default();
        let mut one = Component::named(Ecosystem::NIX, "a", "1", "out");
        one.patches = vec![patch("x"), patch("y")];
        let mut two = Component::named(Ecosystem::NIX, "a", "1", "dev");
        two.patches = vec![patch("y")];
        two.scope = Scope::Runtime;
        gathered.add(one);
        gathered.add(two.clone());
        gathered.add(two);
        let inventory = gathered.finish("t");
        assert_eq!(inventory.components.len(), 1);
        let component = &inventory.components[0];
        assert_eq!(component.outputs, ["dev", "out"]);
        assert_eq!(component.patches, [patch("y")]);
        assert_eq!(component.scope, Scope::Runtime);
    }

    #[test]
    fn different_products_under_one_name_stay_apart() {
        let mut gathered = Gathered::default();
        for cpe in ["cpe:2.3:a:x:a:1", "", "cpe:2.3:a:y:a:1", "cpe:2.3:a:x:a:1"] {
            let mut component = Component::named(Ecosystem::GENERIC, "a", "1", format!("from {cpe}"));
            component.cpe = Some(cpe.to_owned()).filter(|cpe| !cpe.is_empty());
            gathered.add(component);
        }
        let components = gathered.finish("t").components;
        assert_eq!(components.len(), 2);
        assert_eq!(components[0].outputs, ["from ", "from cpe:2.3:a:x:a:1"]);
    }

    #[test]
    fn problems_without_end_are_counted_not_kept() {
        let mut gathered = Gathered::default();
        for number in 0..1_000 {
            gathered.problem(number.to_string(), "bad");
        }
        let problems = gathered.finish("t").problems;
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert!(problems.last().unwrap().message.contains("800 more"));
    }
}
