//! Inventories of real derivation graphs.

use crate::corpus;
use aux_core::{Component, Inventory, TargetKind};
use aux_inventory::graph;
use aux_nix::Derivation;

fn read(archive: &str) -> Option<Inventory> {
    let files = corpus::derivations(&corpus::folder()?.join("nix").join(archive));
    let graph: Vec<_> = files.iter().map(|(path, bytes)| (path, Derivation::parse(bytes).unwrap())).collect();
    Some(graph::inventory(archive, TargetKind::DerivationGraph, &graph, &|_| None))
}

fn versions<'i>(inventory: &'i Inventory, name: &str) -> Vec<&'i Component> {
    inventory.components.iter().filter(|component| component.name == name).collect()
}

#[test]
fn dump() {
    for archive in ["nixos-17.03-system.drvs.tar.zst", "auxolotl-core-2024-06.drvs.tar.zst"] {
        let inventory = read(archive).unwrap();
        println!("{} {} {:?}", inventory.components.len(), inventory.tree.len(), inventory.problems);
        for c in &inventory.components {
            println!(
                "{}\t{}\t{}\t{:?}\t{}",
                c.name,
                c.version,
                c.outputs.len(),
                c.patches.iter().flat_map(|p| &p.cves).collect::<Vec<_>>(),
                inventory.path_to(c).join(" > ")
            );
        }
    }
    let _ = versions;
}
