//! The same build, as three generations of real Nix show it, is made of the same components.

use std::path::{Path, PathBuf};

use aux_core::Component;
use aux_inventory::{ReadOptions, read};

fn components(file: &Path) -> Vec<Component> {
    let inventory = read(file.to_str().unwrap(), &ReadOptions::default());
    assert_eq!(inventory.problems, [], "{}", file.display());
    inventory.components
}

fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../nix/tests/vectors").join(name)
}

#[test]
fn every_generation_of_nix_gives_the_same_components() {
    let graph = components(&vectors("2.8/derivations.json"));
    let names: Vec<_> = graph.iter().map(|component| (component.name.as_str(), component.version.as_str())).collect();
    assert_eq!(names, [("greet", "3.4"), ("libgreet", "1.2")]);
    assert_eq!(graph[1].patches[0].cves[0].0, "CVE-2020-0001");
    for generation in ["2.26", "2.34"] {
        assert_eq!(components(&vectors(&format!("{generation}/derivations.json"))), graph, "{generation}");
    }
    let closure = components(&vectors("2.8/path-info.json"));
    assert_eq!(closure.len(), 2);
    for document in ["2.26/path-info.json", "2.34/path-info-1.json", "2.34/path-info-2.json"] {
        assert_eq!(components(&vectors(document)), closure, "{document}");
    }
}
