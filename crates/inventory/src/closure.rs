//! What a store path needs to run: asked of the store's database, or of `nix-store` where that cannot be read.

use crate::derivers::{Derivers, mentioned_derivations};
use crate::graph_order::{Order, breadth_first};
use crate::store_database::{self, Closure, StorePath};
use crate::{Gathered, ReadOptions, store_name};
use aux_core::TargetKind;
use aux_core::limits::{DERIVATION_BYTES_MAX, GRAPH_NODES_MAX};
use aux_io::{input, process};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `nix-store` may take; a cold disk and a store of a million paths need minutes.
const NIX_STORE_TIME_LIMIT: Duration = Duration::from_mins(10);

/// Reads the closure of some store paths.
pub(crate) fn read(roots: &[PathBuf], options: &ReadOptions, into: &mut Gathered) {
    let names: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    into.recognise(TargetKind::Closure);
    let closure = match store_database::closure(&options.nix_state_dir, &names) {
        Ok(closure) => closure,
        Err(error) => match ask_nix_store(&names, options) {
            Ok(closure) => closure,
            Err(reason) => {
                let subject = names.join(" ");
                return into.problem(subject, format!("its closure cannot be read: {error}; {reason}"));
            }
        },
    };
    add(&closure, roots.len(), options, into);
}

pub(crate) fn add(closure: &Closure, root_count: usize, options: &ReadOptions, into: &mut Gathered) {
    for missing in &closure.missing {
        into.problem(missing, "is no valid path of this store");
    }
    let labels: Vec<String> = closure.paths.iter().map(|path| label(&path.path)).collect();
    let roots: Vec<u32> = (0_u32..).take(root_count - closure.missing.len().min(root_count)).collect();
    let known = closure.references.len() == closure.paths.len();
    let order = if known { breadth_first(&labels, &closure.references, &roots) } else { Order::default() };
    let place = order.place.clone();
    let offset = into.add_tree(order);
    let derivers = Derivers::read(&closure.paths, options);
    for (index, path) in closure.paths.iter().enumerate() {
        let node = place.get(index).copied().flatten().map(|place| place.saturating_add(offset));
        if let Some(mut component) = derivers.component(path) {
            component.node = node;
            into.add(component);
        }
    }
}

fn label(path: &str) -> String {
    store_name::base_name(path).unwrap_or(path).to_owned()
}

/// The closure without its graph. The error says why there is no answer from here either.
fn ask_nix_store(roots: &[String], options: &ReadOptions) -> Result<Closure, String> {
    let program = options.nix_store_program.as_ref().ok_or("and no nix-store program was found to ask instead")?;
    let mut command = process::Command::new(program, NIX_STORE_TIME_LIMIT).argument("--query").argument("--requisites");
    command.environment.clone_from(&options.environment);
    // What begins with a dash would be read as an option; a store path never does.
    command.arguments.extend(roots.iter().filter(|root| root.starts_with('/')).map(Into::into));
    let output = process::run(&command).map_err(|error| format!("and {error}"))?;
    let text = String::from_utf8(output).map_err(|_| format!("and {} wrote no UTF-8", program.display()))?;
    let paths: Vec<_> = text
        .lines()
        .map(|line| StorePath { path: line.trim().to_owned(), deriver: None })
        .take(GRAPH_NODES_MAX + 1)
        .collect();
    if paths.len() > GRAPH_NODES_MAX {
        return Err(format!("and a closure has more than {GRAPH_NODES_MAX} paths (GRAPH_NODES_MAX)"));
    }
    Ok(Closure { paths, ..Closure::default() })
}

/// Gathers a derivation of the store and all it is built from, for the graph reader.
pub(crate) fn derivations(root: &Path, options: &ReadOptions, into: &mut Gathered) {
    let store_dir = options.store_dir.display().to_string();
    let mut seen = BTreeSet::from([root.display().to_string()]);
    let mut queue: Vec<String> = seen.iter().cloned().collect();
    into.recognise(TargetKind::DerivationGraph);
    while let Some(path) = queue.pop() {
        if seen.len() > GRAPH_NODES_MAX {
            return into.problem(path, format!("more than {GRAPH_NODES_MAX} derivations (GRAPH_NODES_MAX)"));
        }
        match input::read(&path, DERIVATION_BYTES_MAX) {
            Ok(bytes) => {
                for mentioned in mentioned_derivations(&bytes, &store_dir) {
                    if seen.insert(mentioned.clone()) {
                        queue.push(mentioned);
                    }
                }
                into.add_derivation(&path, bytes);
            }
            Err(error) => into.problem(error.name(), error.message()),
        }
    }
}
