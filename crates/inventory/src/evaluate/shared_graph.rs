//! The derivations of several machines, read and parsed once: what machines have in common is there once.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::limits::{DERIVATION_BYTES_MAX, DERIVATIONS_BYTES_MAX, GRAPH_NODES_MAX};
use aux_core::{Inventory, Problem, TargetKind};
use aux_io::input;
use aux_nix::Derivation;

use crate::derivers::{is_derivation_path, mentioned_derivations};
use crate::{ReadOptions, graph, nix_documents};

/// The files of a graph.
#[derive(Debug, Default)]
pub(super) struct Documents {
    read: Vec<(String, Vec<u8>)>,
    problems: BTreeMap<String, String>,
}

/// Reads the derivations at `roots` and all they are built from.
pub(super) fn read<'r>(roots: impl Iterator<Item = &'r str>, options: &ReadOptions) -> Documents {
    let store_dir = options.store_dir.display().to_string();
    let mut documents = Documents::default();
    let mut seen: BTreeSet<String> = roots.map(str::to_owned).collect();
    let mut queue: Vec<String> = seen.iter().cloned().collect();
    let mut total_bytes = 0_u64;
    while let Some(path) = queue.pop() {
        if !is_derivation_path(&path, &store_dir) {
            documents.problems.insert(path, format!("is no derivation in {store_dir}"));
            continue;
        }
        let bytes = match input::read(&path, DERIVATION_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => {
                documents.problems.insert(path, error.message());
                continue;
            }
        };
        total_bytes = total_bytes.saturating_add(bytes.len() as u64);
        if total_bytes > DERIVATIONS_BYTES_MAX || seen.len() > GRAPH_NODES_MAX {
            let limit = "left out: the derivations are too many together (DERIVATIONS_BYTES_MAX, GRAPH_NODES_MAX)";
            documents.problems.insert(path, limit.to_owned());
            break;
        }
        for mentioned in mentioned_derivations(&bytes, &store_dir) {
            if seen.insert(mentioned.clone()) {
                queue.push(mentioned);
            }
        }
        documents.read.push((path, bytes));
    }
    documents
}

/// The graph that all machines stand in.
pub(super) struct SharedGraph<'d> {
    derivations: BTreeMap<String, Derivation<'d>>,
    problems: BTreeMap<String, String>,
}

impl<'d> SharedGraph<'d> {
    pub(super) fn new(documents: &'d Documents, options: &ReadOptions) -> Self {
        let store_dir = options.store_dir.display().to_string();
        let (parsed, wrong) = nix_documents::parse_in_two_threads(&documents.read, &store_dir);
        let mut problems = documents.problems.clone();
        problems.extend(wrong.into_iter().map(|problem| (problem.subject, problem.message)));
        Self { derivations: parsed.into_iter().collect(), problems }
    }

    /// What one machine is made of: the part of the graph below its root.
    pub(super) fn inventory(&self, name: &str, root: &str, options: &ReadOptions) -> Inventory {
        let store_dir = options.store_dir.display().to_string();
        let (below, problems) = self.below(root);
        let mut inventory = graph::inventory(name, TargetKind::FlakeOutput, &below, &|path| {
            nix_documents::read_patch(path, &store_dir)
        });
        inventory.problems.extend(problems);
        let outputs = || {
            let outputs = self.derivations.get(root).into_iter().flat_map(|derivation| &derivation.outputs);
            outputs.filter(|output| !output.path.is_empty()).map(|output| output.path.lossy().into_owned()).collect()
        };
        if let Some(closure) = nix_documents::runtime_closure(outputs, options) {
            graph::apply_runtime_closure(&mut inventory, &closure);
        }
        inventory
    }

    fn below<'s>(&'s self, root: &'s str) -> (Vec<(&'s str, &'s Derivation<'d>)>, Vec<Problem>) {
        let mut seen = BTreeSet::from([root]);
        let mut queue = vec![root];
        let (mut below, mut problems) = (Vec::new(), Vec::new());
        while let Some(path) = queue.pop() {
            let Some((path, derivation)) = self.derivations.get_key_value(path) else {
                let message = self.problems.get(path).map_or("was not read", String::as_str);
                problems.push(Problem::new(path, message));
                continue;
            };
            below.push((path.as_str(), derivation));
            let needed = derivation.input_derivations.iter().filter_map(|input| input.path.plain());
            queue.extend(needed.filter(|path| seen.insert(path)));
        }
        (below, problems)
    }
}
