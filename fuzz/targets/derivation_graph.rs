//! Several derivations as one graph, in any order and with any circles: the inventory depends on the set alone.
#![no_main]

use aux_core::TargetKind;
use aux_inventory::graph;
use aux_nix::Derivation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut graph: Vec<_> = data.split(|byte| *byte == 0).filter_map(named).collect();
    graph.sort_by_key(|(path, _)| *path);
    graph.dedup_by_key(|(path, _)| *path);
    let inventory = graph::inventory("x", TargetKind::DerivationGraph, &graph, &|_| None);
    graph.reverse();
    assert!(inventory == graph::inventory("x", TargetKind::DerivationGraph, &graph, &|_| None));
});

fn named(document: &[u8]) -> Option<(&str, Derivation<'_>)> {
    let (path, bytes) = std::str::from_utf8(document).ok()?.split_once('\n')?;
    Some((path, Derivation::parse(bytes.as_bytes()).ok()?))
}
