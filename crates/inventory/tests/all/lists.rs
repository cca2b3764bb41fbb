//! The corpora: real lists and archives, read where they lie.

use crate::corpora::corpus;
use aux_core::TargetKind;
use aux_inventory::{ReadOptions, read};

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
