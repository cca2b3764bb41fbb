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
    facts: &'g [Facts],
    read_store: ReadStore<'g>,
    /// Which derivation downloads a path.
    downloads: BTreeMap<&'g str, usize>,
    known: BTreeMap<&'g str, Patch>,
}

impl<'g> Patches<'g> {
    pub(super) fn new(entries: &'g [Entry<'g>], facts: &'g [Facts], read_store: ReadStore<'g>) -> Self {
        let fixed = entries.iter().enumerate().filter(|(_, entry)| entry.derivation.is_fixed_output());
        let downloads = fixed.flat_map(|(position, entry)| {
            let paths = entry.derivation.outputs.iter().filter_map(|output| output.path.plain());
            paths.map(move |path| (path, position))
        });
        Self { facts, read_store, downloads: downloads.collect(), known: BTreeMap::new() }
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
        let Some(facts) = self.facts.get(position) else { return BTreeMap::new() };
        let paths = facts.patches.iter().map(String::as_str);
        paths
            .map(|path| {
                if !self.known.contains_key(path) {
                    let patch = self.look_at(path);
                    self.known.insert(path, patch);
                }
                (path, self.known.get(path).cloned().unwrap_or_else(|| nameless(path)))
            })
            .collect()
    }

    /// Reads one patch's name, the URLs of the derivation that fetches it, and its text where it can be had.
    fn look_at(&self, path: &str) -> Patch {
        let mut patch = nameless(path);
        let mut evidence = |bytes: Vec<String>, kind| patch.cves.extend(bytes.into_iter().map(|id| (id, kind)));
        evidence(cve_ids(name_of(path).as_bytes()), PatchEvidence::Name);
        let maker = self.downloads.get(path).and_then(|&maker| self.facts.get(maker));
        let urls = maker.map(|maker| maker.urls.as_slice()).unwrap_or_default();
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
