//! Damaged documents of every kind end in components or problems, never in a panic.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::{Gathered, ReadOptions, cyclonedx, detect, documents, graph, list, manifest, nix_documents, purl, spdx};
use crate::{graph::PackageName, store_name};
use aux_core::{Ecosystem, TargetKind};
use aux_nix::Derivation;
use damage::{every_form, every_text};

/// Reads one form and checks that something came of it.
fn read(target: &str, read: impl Fn(&[u8], &mut Gathered)) {
    every_form(target, &|bytes| {
        let mut gathered = Gathered::default();
        read(bytes, &mut gathered);
        let inventory = gathered.finish("x");
        assert!(inventory.kind != TargetKind::Unrecognised || !inventory.problems.is_empty());
        for component in &inventory.components {
            assert!(!component.outputs.is_empty() && inventory.path_to(component).len() <= inventory.tree.len());
        }
    });
}

#[test]
fn damaged_software_bills_become_components_or_problems() {
    read("cyclonedx", |bytes, into| cyclonedx::read("x", bytes, &Ecosystem::GENERIC, into));
    read("spdx", |bytes, into| spdx::read("x", bytes, &Ecosystem::GENERIC, into));
}

#[test]
fn damaged_lists_and_manifests_become_components_or_problems() {
    for ecosystem in [Ecosystem::NIX, Ecosystem::PKGSRC, Ecosystem::new("npm")] {
        read("name_list", |bytes, into| list::read_bytes("x", bytes, TargetKind::NameList, &ecosystem, into));
    }
    read("manifest", |bytes, into| {
        manifest::read("x", bytes, TargetKind::TritonManifest, &Ecosystem::PKGSRC, into);
    });
}

#[test]
fn damaged_documents_go_through_the_front_door() {
    let options = ReadOptions::default();
    for target in ["detect", "derivation", "derivation_json", "path_info", "flake_lock", "configuration"] {
        read(target, |bytes, into| {
            drop((detect::document(bytes), detect::json(bytes)));
            documents::bytes("x", bytes, &options, into);
            nix_documents::derivations(&options, into);
        });
    }
}

#[test]
fn the_inventory_of_a_damaged_graph_depends_on_the_set_alone() {
    every_text("derivation_graph", &|text| {
        let documents = text.split('\0').filter_map(|document| document.split_once('\n'));
        let mut derivations: Vec<(&str, Derivation<'_>)> =
            documents.filter_map(|(path, bytes)| Some((path, Derivation::parse(bytes.as_bytes()).ok()?))).collect();
        derivations.sort_by_key(|(path, _)| *path);
        derivations.dedup_by_key(|(path, _)| *path);
        let inventory = graph::inventory("x", TargetKind::DerivationGraph, &derivations, &|_| None);
        derivations.reverse();
        assert_eq!(inventory, graph::inventory("x", TargetKind::DerivationGraph, &derivations, &|_| None));
    });
}

#[test]
fn damaged_names_are_refused_or_taken_apart() {
    every_text("purl", &|text| assert_eq!(purl::parse(text).is_ok(), purl::component(text, text).is_ok()));
    every_text("store_path", &|text| {
        let base = store_name::base_name(text);
        let _parts = base.map(|base| (store_name::split(base), store_name::names_package(base)));
        drop((PackageName::of_derivation(text), PackageName::of_output(text)));
    });
}
