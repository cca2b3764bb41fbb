//! Whether something has changed since it was last looked at, told without reading it.
//!
//! A fingerprint that differs means "look again"; one that is the same means that nothing which can be seen from
//! outside has changed. Where it cannot be told there is none, and then everything is looked at.

use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aux_inventory::ReadOptions;

use crate::Watched;

/// Entries of a folder that are looked at; a larger one is read again every time.
const FOLDER_ENTRIES_MAX: usize = 20_000;
const FOLDER_DEPTH_MAX: usize = 8;

/// A file by its place, length and times.
pub fn of_file(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut text = String::new();
    add(&mut text, path, &metadata);
    Some(text)
}

/// A watched system: the store paths its links lead to, or the files it is read from.
pub fn of_system(watched: &Watched, options: &ReadOptions) -> Option<String> {
    let Some(target) = &watched.target else { return of_machine(options) };
    if is_elsewhere(target) {
        // What it is made of cannot be seen from here, so its schedule decides alone.
        return Some(target.clone());
    }
    let path = Path::new(target).canonicalize().ok()?;
    // What is in the store never changes.
    if path.starts_with(&options.store_dir) {
        return Some(path.display().to_string());
    }
    let mut text = String::new();
    let mut entries_left = FOLDER_ENTRIES_MAX;
    of_path(&path, FOLDER_DEPTH_MAX, &mut entries_left, &mut text)?;
    Some(short(&text))
}

/// A reference to a repository rather than a path.
fn is_elsewhere(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains('/'))
        && !Path::new(target).exists()
}

fn of_machine(options: &ReadOptions) -> Option<String> {
    let mut links = vec![options.current_system.clone()];
    let profiles = options.nix_state_dir.join("profiles");
    links.extend(entries(&profiles));
    for user in entries(&profiles.join("per-user")) {
        links.extend(entries(&user));
    }
    let ends: Vec<String> = links.iter().filter_map(|link| end(link)).collect();
    (!ends.is_empty()).then(|| short(&ends.join("\n")))
}

fn end(link: &Path) -> Option<String> {
    link.is_symlink().then(|| link.canonicalize().ok()).flatten().map(|end| end.display().to_string())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// `None` where it is too large or cannot be looked at.
fn of_path(path: &Path, depth_left: usize, entries_left: &mut usize, into: &mut String) -> Option<()> {
    *entries_left = entries_left.checked_sub(1)?;
    let metadata = fs::symlink_metadata(path).ok()?;
    add(into, path, &metadata);
    if metadata.is_dir() {
        let depth_left = depth_left.checked_sub(1)?;
        for entry in entries(path) {
            of_path(&entry, depth_left, entries_left, into)?;
        }
    }
    Some(())
}

fn add(text: &mut String, path: &Path, metadata: &Metadata) {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    let (inode, length) = (metadata.ino(), metadata.len());
    let _ = writeln!(text, "{} {inode} {length} {seconds}.{nanoseconds}", path.display());
}

/// A digest of a long text; two that differ by chance are as unlikely as with any 256-bit hash.
fn short(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_and_a_switched_link_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let options = ReadOptions { store_dir: folder.path().join("store"), ..ReadOptions::default() };
        let list = folder.path().join("list/names");
        fs::create_dir_all(folder.path().join("list")).unwrap();
        aux_io::file::replace(&list, b"zlib-1.2.11\n").unwrap();
        let watched = Watched::target(folder.path().join("list").display().to_string(), 0);
        let before = of_system(&watched, &options);
        assert_eq!(before, of_system(&watched, &options));
        aux_io::file::replace(&list, b"zlib-1.2.12\n").unwrap();
        assert!(before.is_some() && before != of_system(&watched, &options));

        let link = folder.path().join("current");
        for name in ["one", "two"] {
            fs::create_dir_all(options.store_dir.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(options.store_dir.join("one"), &link).unwrap();
        let watched = Watched::target(link.display().to_string(), 0);
        let before = of_system(&watched, &options);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(options.store_dir.join("two"), &link).unwrap();
        assert_ne!(before, of_system(&watched, &options));
        fs::remove_file(&link).unwrap();
        assert_eq!(of_system(&watched, &options), None);
    }
}
