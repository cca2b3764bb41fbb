//! The breadth-first tree of a graph: for each derivation the shortest way from a root.

use super::links::Entry;
use aux_core::Node;
use std::collections::VecDeque;

/// For each derivation the one it was reached from, and the order of reaching.
struct Reached {
    parents: Vec<Option<u32>>,
    order: Vec<u32>,
    seen: Vec<bool>,
}

/// The tree over the derivations that lead to a component, and where each of those stands in it.
pub(super) fn tree(entries: &[Entry<'_>], is_component: &[bool]) -> (Vec<Node>, Vec<Option<u32>>) {
    let reached = reach(entries);
    let mut kept = vec![false; entries.len()];
    for (position, _) in is_component.iter().enumerate().filter(|(_, component)| **component) {
        let mut next = Some(position);
        while let Some(position) = next {
            match kept.get_mut(position) {
                Some(keep) if !*keep => *keep = true,
                _ => break,
            }
            next = at(&reached.parents, position).flatten().and_then(|parent| usize::try_from(parent).ok());
        }
    }
    let mut nodes = Vec::new();
    let mut places: Vec<Option<u32>> = vec![None; entries.len()];
    for position in reached.order.iter().filter_map(|&position| usize::try_from(position).ok()) {
        let (Some(true), Some(entry)) = (kept.get(position), entries.get(position)) else { continue };
        let parent = at(&reached.parents, position).flatten();
        let parent =
            parent.and_then(|parent| usize::try_from(parent).ok()).and_then(|parent| at(&places, parent)).flatten();
        if let Some(place) = places.get_mut(position) {
            *place = u32::try_from(nodes.len()).ok();
        }
        nodes.push(Node { label: entry.store_name().to_owned(), parent });
    }
    (nodes, places)
}

/// Walks from the roots, which are what nothing else needs.
///
/// The way through a download is taken last: that `curl` is needed to fetch a source says less than who links with it.
/// What only a cycle holds has no root; there the first derivation in order stands for one.
fn reach(entries: &[Entry<'_>]) -> Reached {
    let mut reached =
        Reached { parents: vec![None; entries.len()], order: Vec::new(), seen: vec![false; entries.len()] };
    let mut needed = vec![false; entries.len()];
    for input in entries.iter().flat_map(|entry| &entry.inputs) {
        if let Some(needed) = usize::try_from(*input).ok().and_then(|input| needed.get_mut(input)) {
            *needed = true;
        }
    }
    let mut downloads = Vec::new();
    let mut queue = VecDeque::new();
    // All true roots start at once, so that the nearest wins; a cycle's stand-in starts alone.
    for root in (0..entries.len()).filter(|&root| at(&needed, root) == Some(false)) {
        reached.enter(root, None, &mut queue);
    }
    reached.walk(entries, &mut queue, &mut downloads);
    for stand_in in 0..entries.len() {
        reached.enter(stand_in, None, &mut queue);
        reached.walk(entries, &mut queue, &mut downloads);
    }
    reached
}

impl Reached {
    fn enter(&mut self, position: usize, parent: Option<u32>, queue: &mut VecDeque<u32>) {
        let Some(seen) = self.seen.get_mut(position) else { return };
        if !std::mem::replace(seen, true)
            && let Ok(index) = u32::try_from(position)
        {
            if let Some(slot) = self.parents.get_mut(position) {
                *slot = parent;
            }
            self.order.push(index);
            queue.push_back(index);
        }
    }

    fn walk(&mut self, entries: &[Entry<'_>], queue: &mut VecDeque<u32>, downloads: &mut Vec<u32>) {
        loop {
            while let Some(index) = queue.pop_front() {
                let Some((position, entry)) = position_of(index, entries) else { continue };
                if entry.derivation.is_fixed_output() && at(&self.parents, position).flatten().is_some() {
                    downloads.push(index);
                } else {
                    self.enter_inputs(index, entry, queue);
                }
            }
            if downloads.is_empty() {
                return;
            }
            for index in std::mem::take(downloads) {
                if let Some((_, entry)) = position_of(index, entries) {
                    self.enter_inputs(index, entry, queue);
                }
            }
        }
    }

    fn enter_inputs(&mut self, index: u32, entry: &Entry<'_>, queue: &mut VecDeque<u32>) {
        for input in entry.inputs.iter().filter_map(|&input| usize::try_from(input).ok()) {
            self.enter(input, Some(index), queue);
        }
    }
}

fn position_of<'e, 'g>(index: u32, entries: &'e [Entry<'g>]) -> Option<(usize, &'e Entry<'g>)> {
    let position = usize::try_from(index).ok()?;
    Some((position, entries.get(position)?))
}

fn at<T: Copy>(items: &[T], position: usize) -> Option<T> {
    items.get(position).copied()
}
