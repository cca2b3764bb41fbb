//! What three generations of real Nix print of the same build (`scripts/nix-vectors.sh`) is read as the same.

use std::path::{Path, PathBuf};

use aux_nix::Derivation;
use aux_nix::derivation::json;
use aux_nix::path_info;

#[test]
fn every_generation_of_nix_shows_the_derivations_that_stand_in_the_store() {
    let stored: Vec<(String, Vec<u8>)> = files("", "drv")
        .iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            (format!("/nix/store/{name}"), std::fs::read(file).unwrap())
        })
        .collect();
    assert_eq!(stored.len(), 3);
    let documents = files("derivations", "json");
    assert_eq!(documents.len(), 3);
    for document in documents {
        let graph = json::parse(&std::fs::read(&document).unwrap()).unwrap();
        assert_eq!(graph.len(), stored.len(), "{}", document.display());
        for ((path, shown), (stored_path, bytes)) in graph.iter().zip(&stored) {
            assert_eq!(path, stored_path, "{}", document.display());
            let stored = Derivation::parse(bytes).unwrap();
            assert_eq!(stored.print(), *bytes);
            assert_eq!(
                String::from_utf8(shown.print()).unwrap(),
                String::from_utf8(bytes.clone()).unwrap(),
                "{}",
                document.display()
            );
        }
    }
}

#[test]
fn every_generation_of_nix_shows_the_same_closure() {
    let documents = files("path-info", "json");
    assert_eq!(documents.len(), 4);
    let closures: Vec<_> =
        documents.iter().map(|document| path_info::parse(&std::fs::read(document).unwrap()).unwrap()).collect();
    let names: Vec<&str> = closures[0].iter().map(|info| &info.path["/nix/store/".len() + 33..]).collect();
    assert_eq!(names, ["greet-3.4-doc", "greet-3.4", "libgreet-1.2-dev", "libgreet-1.2"]);
    assert!(closures[0].iter().all(|info| info.is_valid && info.deriver.is_some()));
    for (document, closure) in documents.iter().zip(&closures) {
        assert_eq!(*closure, closures[0], "{}", document.display());
    }
}

/// The vectors whose name begins and ends so, sorted by name within each generation.
fn files(begins: &str, extension: &str) -> Vec<PathBuf> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let folders = std::fs::read_dir(vectors).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(begins))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}
