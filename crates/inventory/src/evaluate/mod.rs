//! A flake as inventories: its locked inputs, and one for each machine and package it evaluates to.

mod local_sources;
mod machines;
mod shared_graph;

use std::path::{Path, PathBuf};

use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::{Configuration, Inventory, TargetKind};
use aux_io::input;

use crate::configuration::{CONFIGURATION_EXPRESSION, read_evaluated, read_repository, unseen};
use crate::nix_program::attribute_path;
use crate::{EvaluateError, Flake, Gathered, Nix, ReadOptions, nix_documents};
use machines::Machine;
use shared_graph::SharedGraph;

/// A flake to be audited.
#[derive(Debug, Clone)]
pub struct FlakeTarget {
    /// What the user called it; its machines are called `NAME#ATTRIBUTE`.
    pub name: String,
    pub flake: Flake,
    /// Where its flake.lock would lie.
    pub lock: PathBuf,
    /// It came from somewhere else, and may take nothing from this machine.
    pub is_foreign: bool,
    /// Whose `packages` are looked at: `x86_64-linux`. Where a flake has none for it, every system's are.
    pub system: String,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'s> {
    /// So many machines and packages were found.
    Found(usize),
    /// This one was evaluated, or was found not to evaluate.
    Evaluated(&'s str),
}

/// Evaluates every `nixosConfigurations.*`, `darwinConfigurations.*` and `packages.SYSTEM.*` and reads what each is
/// built from. Builds nothing.
///
/// The first inventory is the flake itself with its inputs. What does not evaluate is a problem of that machine only.
pub fn read_flake(
    target: &FlakeTarget,
    nix: &Nix,
    options: &ReadOptions,
    progress: &mut dyn FnMut(Step<'_>),
) -> Vec<Inventory> {
    let mut flake = Gathered::default();
    flake.recognise(TargetKind::FlakeLock);
    lock(target, &mut flake);
    // Nix would copy it to the store, where everybody can read it.
    if let Some(source) = local_sources::first(target) {
        let refusal = "a repository from elsewhere may take no input from this machine; clone it and name the folder";
        flake.problem(&target.name, format!("its flake.lock names {source}, and {refusal}"));
        return vec![flake.finish(&target.name)];
    }
    let found = match machines::list(target, nix, &mut flake) {
        Ok(found) => found,
        Err(error) => {
            flake.problem(&target.name, error.to_string());
            return vec![flake.finish(&target.name)];
        }
    };
    progress(Step::Found(found.len()));
    let evaluated = machines::evaluate(target, &found, nix, progress);
    let roots = evaluated.iter().filter_map(|(_, outcome)| outcome.as_deref().ok());
    let documents = shared_graph::read(roots, options);
    let graph = SharedGraph::new(&documents, options);
    let mut inventories = vec![flake.finish(&target.name)];
    for (machine, outcome) in &evaluated {
        let name = format!("{}#{}", target.name, machine.shown());
        inventories.push(match outcome {
            Ok(root) => {
                let mut inventory = graph.inventory(&name, root, options);
                if options.evaluates_configurations && machine.is_nixos() {
                    inventory.configuration = Some(Box::new(configuration(target, machine, nix)));
                }
                inventory
            }
            Err(error) => unevaluated(&name, error),
        });
    }
    inventories
}

/// The flake by its lock alone, without evaluating, and `why` its machines are not known.
pub fn read_flake_lock(target: &FlakeTarget, why: &str) -> Inventory {
    let mut flake = Gathered::default();
    flake.recognise(TargetKind::FlakeLock);
    lock(target, &mut flake);
    flake.problem(&target.name, why);
    flake.finish(&target.name)
}

/// How a machine is configured. What does not evaluate is not seen, which is no problem of its packages.
fn configuration(target: &FlakeTarget, machine: &Machine, nix: &Nix) -> Configuration {
    let answer = machines::ask(target, machine, nix, CONFIGURATION_EXPRESSION);
    let read = answer
        .map_err(|error| error.to_string())
        .and_then(|document| read_evaluated(document.to_string().as_bytes()).map_err(|error| error.to_string()));
    read.unwrap_or_else(|why| unseen(&format!("the configuration cannot be evaluated: {why}")))
}

fn unevaluated(name: &str, error: &EvaluateError) -> Inventory {
    let mut gathered = Gathered::default();
    gathered.recognise(TargetKind::FlakeOutput);
    gathered.problem(name, error.to_string());
    gathered.finish(name)
}

/// A flake without inputs has no lock, and needs none; whether one is missing is for `nix` to say.
fn lock(target: &FlakeTarget, into: &mut Gathered) {
    let folder = target.lock.parent();
    into.configuration = folder.map(|folder| Box::new(read_repository(folder)));
    let shown = target.lock.display().to_string();
    match is_plain_file(&target.lock) {
        None => {}
        Some(false) => into.problem(shown, "is no regular file, so it was not read"),
        Some(true) => match input::read(&target.lock, DOCUMENT_BYTES_MAX) {
            Ok(bytes) => {
                nix_documents::flake_inputs(&shown, &bytes, into);
            }
            Err(error) => into.problem(error.name(), error.message()),
        },
    }
}

/// Links are not followed: in a repository of strangers they could lead anywhere. `None` where nothing is there.
fn is_plain_file(path: &Path) -> Option<bool> {
    path.symlink_metadata().ok().map(|metadata| metadata.is_file())
}

impl Machine {
    /// `nixosConfigurations.web`.
    fn shown(&self) -> String {
        attribute_path(&self.names())
    }
}
