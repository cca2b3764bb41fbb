//! A breadth-first walk over a dependency graph: the shortest path to a root, once and for all nodes.

use aux_core::Node;
use std::collections::VecDeque;

/// The outcome of a walk.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) tree: Vec<Node>,
    /// For each node of the graph, where it stands in `tree`; `None` where no root reaches it.
    pub(crate) place: Vec<Option<u32>>,
}

/// Walks from `roots` along `edges`; node numbers beyond `labels` are passed over. Cycles do no harm.
///
/// Without roots the nodes that nothing points to are the roots.
pub(crate) fn breadth_first(labels: &[String], edges: &[Vec<u32>], roots: &[u32]) -> Order {
    let mut order = Order { tree: Vec::with_capacity(labels.len()), place: vec![None; labels.len()] };
    let mut queue = VecDeque::new();
    let found;
    let roots = if roots.is_empty() {
        found = without_dependents(labels.len(), edges);
        &found
    } else {
        roots
    };
    for &root in roots {
        visit(&mut order, &mut queue, labels, root, None);
    }
    while let Some(node) = queue.pop_front() {
        let parent = order.place.get(node as usize).copied().flatten();
        for &next in edges.get(node as usize).map_or(&[][..], Vec::as_slice) {
            visit(&mut order, &mut queue, labels, next, parent);
        }
    }
    order
}

fn visit(order: &mut Order, queue: &mut VecDeque<u32>, labels: &[String], node: u32, parent: Option<u32>) {
    let Some(label) = labels.get(node as usize) else { return };
    let Some(place @ None) = order.place.get_mut(node as usize) else { return };
    *place = u32::try_from(order.tree.len()).ok();
    order.tree.push(Node { label: label.clone(), parent });
    queue.push_back(node);
}

fn without_dependents(count: usize, edges: &[Vec<u32>]) -> Vec<u32> {
    let mut pointed_to = vec![false; count];
    for (from, targets) in edges.iter().enumerate() {
        for &to in targets {
            if let Some(flag) = pointed_to.get_mut(to as usize).filter(|_| to as usize != from) {
                *flag = true;
            }
        }
    }
    (0_u32..).zip(pointed_to).filter_map(|(node, pointed_to)| (!pointed_to).then_some(node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_shortest_way_is_taken_and_a_cycle_ends() {
        let names = labels(&["root", "a", "b", "deep", "alone"]);
        let edges = vec![vec![1, 2, 99], vec![2], vec![3], vec![0, 3], vec![4]];
        let order = breadth_first(&names, &edges, &[0]);
        assert_eq!(order.place, [Some(0), Some(1), Some(2), Some(3), None]);
        assert_eq!(order.tree[2].parent, Some(0));
        assert_eq!(order.tree[3].parent, Some(2));
        // Without roots, a node that only points to itself is one.
        assert_eq!(breadth_first(&names, &edges, &[]).place[4], Some(0));
    }
}
