//! The derivations of a packed tar, in memory.

use std::io::Read;
use std::path::Path;

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
