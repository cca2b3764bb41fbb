//! The seam to Nix's own formats: derivations, flake.lock, path-info, and what a deriver says of its output.

use crate::{Gathered, ReadOptions};
use aux_core::{Inventory, TargetKind};

/// Reads all derivations met in a target as one graph.
pub(crate) fn derivations(into: &mut Gathered) {
    let documents = std::mem::take(&mut into.derivations);
    if documents.is_empty() {
        return;
    }
    into.recognise(TargetKind::DerivationGraph);
    for (name, _) in documents {
        into.problem(name, "derivations are not read yet");
    }
}

/// What a set of derivations is made of; its components' outputs are output paths. `None` where none was given.
pub(crate) fn graph(documents: Vec<(String, Vec<u8>)>, _options: &ReadOptions) -> Option<Inventory> {
    drop(documents);
    None
}

pub(crate) fn derivation_json(name: &str, _bytes: &[u8], into: &mut Gathered) {
    into.problem(name, "derivations are not read yet");
}

pub(crate) fn path_info(name: &str, _bytes: &[u8], into: &mut Gathered) {
    into.problem(name, "path-info is not read yet");
}

pub(crate) fn flake_lock(name: &str, _bytes: &[u8], into: &mut Gathered) {
    into.problem(name, "flake.lock is not read yet");
}
