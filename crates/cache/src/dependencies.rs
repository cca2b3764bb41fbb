//! Who needs whom among some paths: the shortest way from a root to each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aux_nix::{BaseName, NarInfo};

/// For each path that a root reaches, the one before it on a shortest way.
#[derive(Debug, Default)]
pub(crate) struct Ways<'i>(BTreeMap<&'i BaseName, Option<&'i BaseName>>);

impl<'i> Ways<'i> {
    /// From the given roots; without any, from the paths that no other needs.
    pub(crate) fn from(infos: &'i [NarInfo], roots: &BTreeSet<&BaseName>) -> Self {
        let known: BTreeMap<&BaseName, &NarInfo> = infos.iter().map(|info| (&info.path, info)).collect();
        let needed: BTreeSet<&BaseName> =
            infos.iter().flat_map(|info| info.references.iter().filter(|one| **one != info.path)).collect();
        let is_root = |path: &BaseName| if roots.is_empty() { !needed.contains(path) } else { roots.contains(path) };
        let mut ways = BTreeMap::new();
        let mut queue = VecDeque::new();
        for info in infos.iter().filter(|info| is_root(&info.path)) {
            ways.insert(&info.path, None);
            queue.push_back(info);
        }
        while let Some(info) = queue.pop_front() {
            for reference in &info.references {
                let Some(next) = known.get(reference) else { continue };
                if !ways.contains_key(&next.path) {
                    ways.insert(&next.path, Some(&info.path));
                    queue.push_back(next);
                }
            }
        }
        Self(ways)
    }

    /// The way to a path, a root first and the path last.
    pub(crate) fn to(&self, path: &BaseName) -> Vec<String> {
        let mut way = vec![path.to_string()];
        let mut next = self.0.get(path).copied().flatten();
        while let Some(path) = next {
            way.push(path.to_string());
            next = self.0.get(path).copied().flatten();
        }
        way.reverse();
        way
    }
}
