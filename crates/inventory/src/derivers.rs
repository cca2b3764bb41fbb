//! What the derivations that built a closure say of its paths, where the store still has them.

use crate::store_database::StorePath;
use crate::{ReadOptions, nix_documents, store_name};
use aux_core::limits::{DERIVATION_BYTES_MAX, DERIVATIONS_BYTES_MAX};
use aux_core::{Component, Ecosystem, Inventory, Scope};
use aux_io::input;
use std::collections::{BTreeMap, BTreeSet};

/// What the derivers of a closure know.
#[derive(Default)]
pub(crate) struct Derivers {
    /// By output path.
    components: BTreeMap<String, Component>,
    /// Derivers that were read and understood: what they built and do not call a package is none.
    understood: BTreeSet<String>,
}

impl Derivers {
    /// Reads the derivers of some paths, and of what those are built from the downloads of patches.
    pub(crate) fn read(paths: &[StorePath], options: &ReadOptions) -> Self {
        let wanted: BTreeSet<&str> = paths.iter().filter_map(|path| path.deriver.as_deref()).collect();
        let store_dir = options.store_dir.display().to_string();
        let mut documents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut patches = BTreeSet::new();
        let mut total_bytes = 0;
        for path in wanted {
            // A deriver that is gone is the ordinary case: garbage collection takes it first.
            let Some(bytes) = read_derivation(path, &store_dir) else { continue };
            total_bytes += bytes.len() as u64;
            if total_bytes > DERIVATIONS_BYTES_MAX {
                break;
            }
            patches.extend(mentioned_derivations(&bytes, &store_dir).into_iter().filter(|name| is_patch(name)));
            documents.insert(path.to_owned(), bytes);
        }
        let derivers: BTreeSet<String> = documents.keys().cloned().collect();
        for path in patches {
            if let Some(bytes) = read_derivation(&path, &store_dir) {
                documents.insert(path, bytes);
            }
        }
        match nix_documents::graph(&documents.into_iter().collect::<Vec<_>>(), options) {
            Some(graph) => Self::of_graph(graph, derivers),
            None => Self::default(),
        }
    }

    fn of_graph(graph: Inventory, mut derivers: BTreeSet<String>) -> Self {
        for problem in &graph.problems {
            derivers.remove(&problem.subject);
        }
        let mut components = BTreeMap::new();
        for component in graph.components {
            for output in &component.outputs {
                components.insert(output.clone(), component.clone());
            }
        }
        Self { components, understood: derivers }
    }

    /// The component that a path of the closure is, by its deriver or else by its name.
    pub(crate) fn component(&self, path: &StorePath) -> Option<Component> {
        let mut component = match self.components.get(&path.path) {
            Some(known) => Component { outputs: vec![path.path.clone()], node: None, ..known.clone() },
            None if path.deriver.as_ref().is_some_and(|deriver| self.understood.contains(deriver)) => return None,
            None => by_name(&path.path)?,
        };
        component.scope = Scope::Runtime;
        Some(component)
    }
}

fn by_name(path: &str) -> Option<Component> {
    let base = store_name::base_name(path).filter(|base| store_name::names_package(base))?;
    let parts = store_name::split(base);
    Some(Component::named(Ecosystem::NIX, parts.name, parts.version, path))
}

fn read_derivation(path: &str, store_dir: &str) -> Option<Vec<u8>> {
    if !is_derivation_path(path, store_dir) {
        return None;
    }
    input::read(path, DERIVATION_BYTES_MAX).ok()
}

/// Whether a derivation's name is that of a patch or of its download.
fn is_patch(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    [".patch", ".diff", "cve-"].iter().any(|sign| name.contains(sign))
}

/// Every `"<store>/….drv"` that stands as a whole string in a derivation: those it is built from.
pub(crate) fn mentioned_derivations(bytes: &[u8], store_dir: &str) -> Vec<String> {
    bytes
        .split(|byte| *byte == b'"')
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| is_derivation_path(text, store_dir))
        .map(str::to_owned)
        .collect()
}

pub(crate) fn is_derivation_path(text: &str, store_dir: &str) -> bool {
    text.strip_suffix(".drv")
        .and_then(|text| text.strip_prefix(store_dir))
        .and_then(|text| text.strip_prefix('/'))
        .is_some_and(|text| store_name::base_name(text).is_some() && !text.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::{Patch, TargetKind};

    fn path(name: &str, deriver: Option<&str>) -> StorePath {
        let full = |name: &str| format!("/nix/store/0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r-{name}");
        StorePath { path: full(name), deriver: deriver.map(full) }
    }

    #[test]
    fn a_deriver_outranks_the_name_and_a_missing_one_does_not_matter() {
        let curl = path("curl-8.6.0-bin", Some("curl-8.6.0.drv"));
        let mut graph = Inventory::new("x", TargetKind::Closure);
        let mut component = Component::named(Ecosystem::NIX, "curl", "8.6.0", curl.path.clone());
        component.patches = vec![Patch { path: "fix.patch".to_owned(), urls: Vec::new(), cves: Vec::new() }];
        graph.components.push(component);
        let wrapper = path("wrapper-8.6.0", Some("wrapper-8.6.0.drv"));
        let understood = [&curl, &wrapper].into_iter().filter_map(|path| path.deriver.clone()).collect();
        let derivers = Derivers::of_graph(graph, understood);

        let found = derivers.component(&curl).unwrap();
        assert_eq!((found.outputs, found.patches.len(), found.scope), (vec![curl.path], 1, Scope::Runtime));
        assert_eq!(derivers.component(&wrapper), None);
        let zlib = derivers.component(&path("zlib-1.2.11-dev", Some("zlib-1.2.11.drv"))).unwrap();
        assert_eq!((&*zlib.name, &*zlib.version), ("zlib", "1.2.11"));
        assert_eq!(derivers.component(&path("unit-sshd.service", None)), None);
    }

    #[test]
    fn only_whole_strings_that_name_a_derivation_of_the_store_are_inputs() {
        let hash = "0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r";
        let text = format!(
            r#"Derive([("out","/nix/store/{hash}-a","","")],[("/nix/store/{hash}-b.drv",["out"])],["/nix/store/{hash}-c.sh"],
            [("x","see /nix/store/{hash}-d.drv"),("y","/nix/store/../{hash}-e.drv"),("z","/other/{hash}-f.drv")]"#
        );
        assert_eq!(mentioned_derivations(text.as_bytes(), "/nix/store"), [format!("/nix/store/{hash}-b.drv")]);
    }
}
