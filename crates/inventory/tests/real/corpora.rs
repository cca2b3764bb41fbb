//! The corpora: real lists and archives, read where they lie.

use crate::in_ci;
use aux_core::TargetKind;
use aux_inventory::{ReadOptions, read};
use std::path::{Path, PathBuf};

/// A file of the corpora, which lie beside the repository; `None` where they are not there.
fn corpus(name: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = [manifest.join("../../../shared/corpora"), PathBuf::from("/work/shared/corpora")]
        .into_iter()
        .map(|corpora| corpora.join(name))
        .find(|path| path.exists());
    if found.is_none() {
        assert!(!in_ci(), "the corpora are not there: {name}");
        eprintln!("skipped: no corpora; they belong in ../shared/corpora beside the repository");
    }
    found
}

#[test]
fn the_package_lists_of_triton_images_are_read_whole() {
    let Some(path) = corpus("pkgsrc/triton-pkgsrc-lists-a.json") else { return };
    let inventory = read(path.to_str().unwrap(), &ReadOptions::default());
    assert_eq!(inventory.kind, TargetKind::PkgsrcList);
    assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
    assert!(inventory.components.iter().all(|one| one.ecosystem.as_str() == "pkgsrc"));
    let haproxy: Vec<_> =
        inventory.components.iter().filter(|one| one.name == "haproxy").map(|one| &*one.version).collect();
    assert!(haproxy.contains(&"1.4.18"), "{haproxy:?}");
    // Some sub-packages stand there without a version; they are components all the same.
    let without = inventory.components.iter().filter(|one| one.version.is_empty()).count();
    assert!((1..10).contains(&without), "{without}");
}

#[test]
fn advisories_are_no_inventory() {
    for name in ["kev/known_exploited_vulnerabilities.json", "nvd/nvdcve-2.0-2023.json.gz", "cve5/openssl.tar.zst"] {
        let Some(path) = corpus(name) else { return };
        let inventory = read(path.to_str().unwrap(), &ReadOptions::default());
        assert_eq!(inventory.kind, TargetKind::Unrecognised);
        assert!(inventory.components.is_empty() && !inventory.problems.is_empty(), "{name}");
    }
}
