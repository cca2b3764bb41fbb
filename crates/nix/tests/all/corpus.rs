//! Where the corpora are, and how to unpack them in memory.

use std::io::Read;
use std::path::{Path, PathBuf};

/// The corpora's folder, beside the checkout or at its fixed place; a visible skip where neither is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let found = [beside, PathBuf::from("/work/shared/corpora")].into_iter().find(|folder| folder.is_dir());
    #[expect(clippy::disallowed_methods, reason = "a test asks whether it runs in CI, where a skip is a failure")]
    let in_ci = std::env::var("CI").is_ok();
    assert!(found.is_some() || !in_ci, "the corpora are missing in CI");
    #[expect(clippy::print_stderr, reason = "a skip must be seen")]
    if found.is_none() {
        eprintln!("skipped: no ../shared/corpora");
    }
    found
}

/// The `.drv` files of an archive: store path and bytes.
pub(crate) fn derivations(file: &Path) -> Vec<(String, Vec<u8>)> {
    let unpacked = zstd::stream::Decoder::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut archive = tar::Archive::new(unpacked);
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if path.strip_suffix(".drv").is_some() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.push((format!("/{}", path.trim_start_matches("./").trim_start_matches('/')), bytes));
        }
    }
    found
}

pub(crate) const ARCHIVES: [(&str, usize); 2] = [("auxolotl-core-2024-06", 1_208), ("nixos-17.03-system", 1_584)];
