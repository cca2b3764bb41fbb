//! Documents in Nix's own formats: derivations, `nix derivation show`, `nix path-info`, flake.lock.

use crate::store_database::{self, Closure, StorePath};
use crate::{Gathered, ReadOptions, closure, graph, store_name};
use aux_core::limits::PATCH_BYTES_MAX;
use aux_core::{Inventory, Problem, TargetKind, with_causes};
use aux_io::input;
use aux_nix::{Derivation, derivation, flake_lock, path_info};
use std::collections::{BTreeMap, BTreeSet};

/// Reads all derivations met in a target as one graph.
pub(crate) fn derivations(options: &ReadOptions, into: &mut Gathered) {
    let documents = std::mem::take(&mut into.derivations);
    if !documents.is_empty() {
        let (mut inventory, parsed) = read_graph(&documents, options);
        // A graph alone cannot tell what runs; the store can, where the roots are built in it.
        if let Some(closure) = runtime_closure(|| root_outputs(&parsed), options) {
            graph::apply_runtime_closure(&mut inventory, &closure);
        }
        into.append(inventory);
    }
}

/// What a set of derivations is made of; its components' outputs are output paths. `None` where none was given.
pub(crate) fn graph(documents: &[(String, Vec<u8>)], options: &ReadOptions) -> Option<Inventory> {
    (!documents.is_empty()).then(|| read_graph(documents, options).0)
}

/// The inventory, and the derivations it was made of.
fn read_graph<'d>(
    documents: &'d [(String, Vec<u8>)],
    options: &ReadOptions,
) -> (Inventory, Vec<(String, Derivation<'d>)>) {
    let store_dir = options.store_dir.display().to_string();
    let (parsed, problems) = parse_in_two_threads(documents, &store_dir);
    let mut inventory =
        graph::inventory("", TargetKind::DerivationGraph, &parsed, &|path| read_patch(path, &store_dir));
    inventory.problems.extend(problems);
    (inventory, parsed)
}

/// Each thread has half of the documents, so that the order stays what it was.
pub(crate) fn parse_in_two_threads<'d>(
    documents: &'d [(String, Vec<u8>)],
    store_dir: &str,
) -> (Vec<(String, Derivation<'d>)>, Vec<Problem>) {
    let (first, second) = documents.split_at(documents.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| parse_all(second, store_dir));
        let (mut parsed, mut problems) = parse_all(first, store_dir);
        let (more, wrong) = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        parsed.extend(more);
        problems.extend(wrong);
        (parsed, problems)
    })
}

/// What the derivations that no other needs build.
fn root_outputs(graph: &[(String, Derivation<'_>)]) -> Vec<String> {
    let inputs = graph.iter().flat_map(|(_, derivation)| &derivation.input_derivations);
    let mut needed: Vec<_> = inputs.map(|input| input.path.lossy()).collect();
    needed.sort_unstable();
    let is_needed = |path: &str| needed.binary_search_by(|input| (**input).cmp(path)).is_ok();
    let roots = graph.iter().filter(|(path, _)| !is_needed(path));
    let outputs = roots.flat_map(|(_, derivation)| &derivation.outputs).map(|output| output.path.lossy().into_owned());
    outputs.filter(|path| !path.is_empty()).collect()
}

/// What the outputs need to run; `None` where the store has no answer for every one of them.
pub(crate) fn runtime_closure(
    outputs: impl FnOnce() -> Vec<String>,
    options: &ReadOptions,
) -> Option<BTreeSet<String>> {
    if !store_database::exists(&options.nix_state_dir) {
        return None;
    }
    let outputs = Some(outputs()).filter(|outputs| !outputs.is_empty())?;
    let closure = store_database::closure(&options.nix_state_dir, &outputs).ok()?;
    closure.missing.is_empty().then(|| closure.paths.into_iter().map(|path| path.path).collect())
}

/// The derivations that could be read, by their path in the store, and what is wrong with the others.
fn parse_all<'d>(documents: &'d [(String, Vec<u8>)], store_dir: &str) -> (Vec<(String, Derivation<'d>)>, Vec<Problem>) {
    let (mut parsed, mut problems) = (Vec::with_capacity(documents.len()), Vec::new());
    for (name, bytes) in documents {
        match Derivation::parse(bytes) {
            Ok(derivation) => parsed.push((store_path(name, &derivation, store_dir), derivation)),
            Err(error) => problems.push(Problem::new(name, error.to_string())),
        }
    }
    (parsed, problems)
}

/// Derivations name each other by their path in the store, wherever the files lie now. One that came without its name,
/// on standard input or renamed, is called after what it makes.
fn store_path(name: &str, derivation: &Derivation<'_>, store_dir: &str) -> String {
    let base = name.rsplit(['/', '!']).next().unwrap_or(name);
    if store_name::base_name(base).is_some() {
        return format!("{store_dir}/{base}");
    }
    let made = derivation.outputs.iter().find(|output| output.name.is("out")).or(derivation.outputs.first());
    let made = made.map(|output| output.path.lossy().into_owned()).filter(|path| store_name::base_name(path).is_some());
    made.map_or_else(|| format!("{store_dir}/{base}"), |path| format!("{path}.drv"))
}

/// The text of a patch, where the store of this machine has it.
pub(crate) fn read_patch(path: &str, store_dir: &str) -> Option<Vec<u8>> {
    let is_plain = path.starts_with(store_dir) && !path.split('/').any(|part| part == "..");
    if is_plain { input::read(path, PATCH_BYTES_MAX).ok() } else { None }
}

pub(crate) fn derivation_json(name: &str, bytes: &[u8], options: &ReadOptions, into: &mut Gathered) {
    let store_dir = options.store_dir.display().to_string();
    into.recognise(TargetKind::DerivationJson);
    match derivation::json::parse(bytes) {
        Ok(graph) => {
            into.append(graph::inventory(name, TargetKind::DerivationJson, &graph, &|path| {
                read_patch(path, &store_dir)
            }));
        }
        Err(error) => into.problem(name, with_causes(&error)),
    }
}

pub(crate) fn path_info(name: &str, bytes: &[u8], options: &ReadOptions, into: &mut Gathered) {
    into.recognise(TargetKind::PathInfo);
    let infos = match path_info::parse(bytes) {
        Ok(infos) => infos,
        Err(error) => return into.problem(name, with_causes(&error)),
    };
    let places: BTreeMap<&str, u32> = (0_u32..).zip(&infos).map(|(place, info)| (info.path.as_str(), place)).collect();
    let mut absent = 0_usize;
    let mut found = Closure::default();
    for info in &infos {
        if !info.is_valid {
            into.problem(&info.path, "was asked for and is not in the store");
        }
        let inside: Vec<u32> = info.references.iter().filter_map(|path| places.get(path.as_str()).copied()).collect();
        absent += info.references.len() - inside.len();
        found.references.push(inside);
        found.paths.push(StorePath { path: info.path.clone(), deriver: info.deriver.clone() });
    }
    if absent > 0 {
        into.problem(name, format!("{absent} references lead to paths the document leaves out; make it with `nix path-info --recursive --json`"));
    }
    closure::add(&found, 0, options, into);
}

pub(crate) fn flake_lock(name: &str, bytes: &[u8], into: &mut Gathered) {
    into.configuration.get_or_insert_with(|| Box::new(crate::configuration::of_lock(bytes)));
    if flake_inputs(name, bytes, into) {
        into.problem(name, "its inputs were read, but no package was: a lock names no packages; audit a derivation graph or a closure of it");
    }
}

/// Reads what a flake.lock pins, and says whether it could.
pub(crate) fn flake_inputs(name: &str, bytes: &[u8], into: &mut Gathered) -> bool {
    into.recognise(TargetKind::FlakeLock);
    match flake_lock::parse(bytes) {
        Ok(inputs) => into.inputs.extend(inputs),
        Err(error) => {
            into.problem(name, with_causes(&error));
            return false;
        }
    }
    true
}
