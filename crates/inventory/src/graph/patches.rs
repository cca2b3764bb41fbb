//! Which patches a package carries, and which CVE ids each names where anyone can check it.

use super::ReadStore;
use super::cve::{cve_ids, cve_ids_of_patch};
use super::facts::Facts;
use super::links::{Entry, base};
use aux_core::Patch;
use aux_core::component::PatchEvidence;
use aux_core::limits::PATCH_BYTES_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Patches already looked at: many derivations share them.
pub(super) struct Patches<'g> {
    entries: &'g [Entry<'g>],
    facts: &'g [Facts],
    read_store: ReadStore<'g>,
    known: BTreeMap<&'g str, Patch>,
}

impl<'g> Patches<'g> {
    pub(super) fn new(entries: &'g [Entry<'g>], facts: &'g [Facts], read_store: ReadStore<'g>) -> Self {
        Self { entries, facts, read_store, known: BTreeMap::new() }
    }

    /// The patches that the derivations of one name and version carry.
    ///
    /// A CVE id stays only where *every* derivation carries a patch that names it; a patch that neither every
    /// derivation carries nor names such an id is left out.
    pub(super) fn carried_by(&mut self, group: &[usize]) -> Vec<Patch> {
        let each: Vec<BTreeMap<&str, Patch>> = group.iter().map(|&position| self.of_derivation(position)).collect();
        let Some((first, others)) = each.split_first() else { return Vec::new() };
        let mut ids = cves_of(first);
        let mut paths: BTreeSet<&str> = first.keys().copied().collect();
        for other in others {
            let more = cves_of(other);
            ids.retain(|id| more.contains(id));
            paths.retain(|path| other.contains_key(path));
        }
        let mut merged: BTreeMap<&str, Patch> = BTreeMap::new();
        for (path, patch) in each.iter().flatten() {
            let mut patch = patch.clone();
            patch.cves.retain(|(id, _)| ids.contains(id.as_str()));
            if !patch.cves.is_empty() || paths.contains(path) {
                merged.insert(path, patch);
            }
        }
        merged.into_values().collect()
    }

    fn of_derivation(&mut self, position: usize) -> BTreeMap<&'g str, Patch> {
        let (Some(entry), Some(facts)) = (self.entries.get(position), self.facts.get(position)) else {
            return BTreeMap::new();
        };
        let paths = facts.patches.iter().map(String::as_str);
        paths
            .map(|path| {
                if !self.known.contains_key(path) {
                    let patch = self.look_at(path, entry);
                    self.known.insert(path, patch);
                }
                (path, self.known.get(path).cloned().unwrap_or_else(|| nameless(path)))
            })
            .collect()
    }

    /// Reads one patch's name, the URLs of the derivation that fetches it, and its text where it can be had.
    fn look_at(&self, path: &str, user: &Entry<'_>) -> Patch {
        let mut patch = nameless(path);
        let mut evidence = |bytes: Vec<String>, kind| patch.cves.extend(bytes.into_iter().map(|id| (id, kind)));
        evidence(cve_ids(name_of(path).as_bytes()), PatchEvidence::Name);
        let urls = self.urls_of(path, user);
        for url in urls {
            evidence(cve_ids(url.as_bytes()), PatchEvidence::Url);
        }
        if let Some(text) = (self.read_store)(path) {
            let bound = usize::try_from(PATCH_BYTES_MAX).unwrap_or(usize::MAX);
            let text = text.get(..bound).unwrap_or(&text);
            evidence(cve_ids_of_patch(text), PatchEvidence::Text);
        }
        patch.urls = urls.to_vec();
        patch.urls.sort();
        patch.urls.dedup();
        patch.cves.sort();
        patch.cves.dedup();
        patch
    }

    /// The URLs of the fixed-output derivation among the inputs that makes this path.
    fn urls_of(&self, path: &str, user: &Entry<'_>) -> &'g [String] {
        let maker = user.inputs.iter().filter_map(|&input| usize::try_from(input).ok()).find(|&input| {
            self.entries.get(input).is_some_and(|entry| {
                entry.derivation.is_fixed_output() && entry.derivation.outputs.iter().any(|output| output.path.is(path))
            })
        });
        maker.and_then(|maker| self.facts.get(maker)).map(|facts| facts.urls.as_slice()).unwrap_or_default()
    }
}

fn nameless(path: &str) -> Patch {
    Patch { path: path.to_owned(), urls: Vec::new(), cves: Vec::new() }
}

/// The file name of a patch without the store's digest, whose letters could spell anything.
fn name_of(path: &str) -> &str {
    let base = base(path);
    match base.split_at_checked(33) {
        Some((digest, name)) if digest.ends_with('-') => name,
        _ => base,
    }
}

fn cves_of<'p>(patches: &'p BTreeMap<&str, Patch>) -> BTreeSet<String> {
    patches.values().flat_map(|patch: &'p Patch| patch.cves.iter().map(|(id, _)| id.clone())).collect()
}
