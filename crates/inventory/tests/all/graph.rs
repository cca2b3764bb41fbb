//! Inventories of real derivation graphs.

use crate::corpora::corpus;
use crate::derivations::derivations;
use aux_core::component::PatchEvidence;
use aux_core::{Component, Inventory, Scope, TargetKind};
use aux_inventory::graph;
use aux_nix::Derivation;
use std::collections::BTreeSet;

const NIXOS: &str = "nixos-17.03-system";
const AUXOLOTL: &str = "auxolotl-core-2024-06";

fn read(name: &str) -> Option<Inventory> {
    let files = derivations(&corpus(&format!("nix/{name}.drvs.tar.zst"))?);
    let graph: Vec<_> = files.iter().map(|(path, bytes)| (path, Derivation::parse(bytes).unwrap())).collect();
    Some(graph::inventory(name, TargetKind::DerivationGraph, &graph, &|_| None))
}

fn versions<'i>(inventory: &'i Inventory, name: &str) -> Vec<&'i Component> {
    inventory.components.iter().filter(|component| component.name == name).collect()
}

fn only<'i>(inventory: &'i Inventory, name: &str) -> &'i Component {
    match versions(inventory, name).as_slice() {
        [component] => component,
        other => panic!("{name}: {} components", other.len()),
    }
}

fn claims(component: &Component) -> BTreeSet<&str> {
    component.patches.iter().flat_map(|patch| &patch.cves).map(|(id, _)| id.as_str()).collect()
}

#[test]
fn a_nixos_system_is_its_packages_and_nothing_beside_them() {
    let Some(inventory) = read(NIXOS) else { return };
    assert!((500..600).contains(&inventory.components.len()), "{}", inventory.components.len());
    assert_eq!(inventory.problems, []);
    for component in &inventory.components {
        let whole = format!("{}-{}", component.name, component.version);
        for part in [".tar", ".patch", ".diff", ".service", "stdenv", "bootstrap-", "-hook", ".sh", "-wrapper"] {
            assert!(!whole.contains(part), "{whole} is no package");
        }
        assert!(!whole.starts_with("unit-") && !whole.starts_with("etc-"), "{whole} is configuration");
        assert!(component.version.starts_with(|first: char| first.is_ascii_digit()), "{whole}");
        assert!(!component.outputs.is_empty());
        let path = inventory.path_to(component);
        assert_eq!(path.first().copied(), Some("nixos-system-nixos-17.03pre-git"), "{whole}");
    }
    let names: Vec<_> = inventory.components.iter().map(|component| (&component.name, &component.version)).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn outputs_are_grouped_and_wrappers_fold_into_what_they_wrap() {
    let Some(inventory) = read(NIXOS) else { return };
    let openssl = only(&inventory, "openssl");
    assert_eq!(openssl.version, "1.0.2k");
    let outputs: Vec<_> = openssl.outputs.iter().map(|path| path.split_at(44).1).collect();
    assert_eq!(outputs.len(), 4);
    for output in ["openssl-1.0.2k", "openssl-1.0.2k-bin", "openssl-1.0.2k-dev", "openssl-1.0.2k-man"] {
        assert!(outputs.contains(&output), "{output}");
    }
    assert_eq!(only(&inventory, "curl").version, "7.52.1");
    assert_eq!(only(&inventory, "firefox").outputs.len(), 2);
    assert_eq!(inventory.path_to(only(&inventory, "firefox")).last(), Some(&"firefox-51.0.1"));
    // Its own outputs, and those of the join that bears its name.
    assert!(only(&inventory, "mesa").outputs.len() > 1);
    assert_eq!(only(&inventory, "linux").version, "4.9.6");
    for absent in ["firefox-unwrapped", "mesa-noglu", "gcc-wrapper", "glibc-iconv", "stdenv-linux-boot"] {
        assert!(versions(&inventory, absent).is_empty(), "{absent}");
    }
}

#[test]
fn an_auxolotl_package_set_names_packages_as_closures_do() {
    let Some(inventory) = read(AUXOLOTL) else { return };
    assert_eq!(only(&inventory, "glibc").version, "2.39-5");
    assert_eq!(only(&inventory, "gpm").version, "unstable-2020-06-17");
    let builders: Vec<_> = versions(&inventory, "boost-build").iter().map(|build| build.version.as_str()).collect();
    assert_eq!(builders, ["1.81.0", "4.4.1"]);
    assert_eq!(only(&inventory, "python3.11-requests").version, "2.31.0");
    // Every build of it, for whichever system.
    assert_eq!(only(&inventory, "musl").version, "1.2.3");
    assert_eq!(versions(&inventory, "x86_64-unknown-linux-musl-gcc").len(), 0);
    // A vendored crate is a source.
    assert!(versions(&inventory, "rustls-webpki").is_empty());
}

#[test]
fn patches_visible_in_a_derivation_count_and_comments_never_do() {
    let Some(inventory) = read(NIXOS) else { return };
    let Some(table) = corpus("labels/nixpkgs-17.03-patched.tsv") else { return };
    let table = std::fs::read_to_string(table).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let visible: BTreeSet<&str> =
        rows.iter().filter(|row| ["name", "url", "path"].contains(&row[3])).map(|row| row[2]).collect();
    let mut checked = 0;
    for row in &rows {
        let package = match row[1].rsplit('/').nth(1).unwrap() {
            "icu" => "icu4c",
            other => other,
        };
        for component in versions(&inventory, package) {
            if ["name", "url", "path"].contains(&row[3]) {
                assert!(claims(component).contains(row[2]), "{package} carries {}", row[2]);
                checked += 1;
            }
        }
        if !visible.contains(row[2]) {
            let claimed = inventory.components.iter().any(|component| claims(component).contains(row[2]));
            assert!(!claimed, "{} is named in a comment only", row[2]);
        }
    }
    assert!(checked >= 25, "{checked} rows were in the graph");
}

#[test]
fn a_patch_says_where_its_cve_was_seen() {
    let Some(inventory) = read(NIXOS) else { return };
    let icu = only(&inventory, "icu4c");
    let patch = icu.patches.iter().find(|patch| patch.path.ends_with("CVE-2015-4760.patch")).unwrap();
    let id = "CVE-2015-4760".to_owned();
    assert_eq!(patch.cves, [(id.clone(), PatchEvidence::Name), (id, PatchEvidence::Url)]);
    assert!(patch.urls[0].ends_with("/CVE-2015-4760.patch"));
}

#[test]
fn a_patch_is_read_where_the_store_is_at_hand() {
    let Some(archive) = corpus(&format!("nix/{NIXOS}.drvs.tar.zst")) else { return };
    let files = derivations(&archive);
    let graph: Vec<_> = files.iter().map(|(path, bytes)| (path, Derivation::parse(bytes).unwrap())).collect();
    let read_store = |path: &str| path.ends_with("-lzma.patch").then(|| b"Fixes CVE-2099-0001\n".to_vec());
    let inventory = graph::inventory("x", TargetKind::DerivationGraph, &graph, &read_store);
    let libunwind = only(&inventory, "libunwind");
    let claimed: Vec<_> = libunwind.patches.iter().flat_map(|patch| &patch.cves).collect();
    assert!(claimed.contains(&&("CVE-2099-0001".to_owned(), PatchEvidence::Text)), "{claimed:?}");
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let Some(archive) = corpus(&format!("nix/{NIXOS}.drvs.tar.zst")) else { return };
    let files = derivations(&archive);
    let mut graph: Vec<_> = files.iter().map(|(path, bytes)| (path, Derivation::parse(bytes).unwrap())).collect();
    let first = graph::inventory("x", TargetKind::DerivationGraph, &graph, &|_| None);
    graph.reverse();
    assert_eq!(graph::inventory("x", TargetKind::DerivationGraph, &graph, &|_| None), first);
}

#[test]
fn a_closure_tells_what_runs() {
    let Some(mut inventory) = read(NIXOS) else { return };
    let running = only(&inventory, "openssl").outputs[0].clone();
    graph::apply_runtime_closure(&mut inventory, &BTreeSet::from([running]));
    assert_eq!(only(&inventory, "openssl").scope, Scope::Runtime);
    assert_eq!(only(&inventory, "curl").scope, Scope::Build);
}
