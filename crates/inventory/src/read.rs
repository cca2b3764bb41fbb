//! The front door: a word from the command line becomes an inventory, whatever it turns out to be.

use crate::{Gathered, closure, configuration, documents, nix_documents};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::{Ecosystem, Inventory, TargetKind};
use aux_io::input;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where this machine keeps what the readers ask for.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// What a plain name in a list belongs to; told by content where `None`.
    pub ecosystem: Option<Ecosystem>,
    /// The `nix-store` program, asked where the store's database cannot be read.
    pub nix_store_program: Option<PathBuf>,
    /// The whole environment of that program.
    pub environment: Vec<(OsString, OsString)>,
    pub nix_state_dir: PathBuf,
    pub store_dir: PathBuf,
    /// The link to the running NixOS system.
    pub current_system: PathBuf,
    /// The folder that stands for `/` where the running system's configuration is read.
    pub root: PathBuf,
    /// Whether machines of a flake are also asked how they are configured, which evaluates each once more.
    pub evaluates_configurations: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            ecosystem: None,
            nix_store_program: None,
            environment: Vec::new(),
            nix_state_dir: PathBuf::from("/nix/var/nix"),
            store_dir: PathBuf::from("/nix/store"),
            current_system: PathBuf::from("/run/current-system"),
            root: PathBuf::from("/"),
            evaluates_configurations: true,
        }
    }
}

/// Reads a target: a file, a folder, `-`, a store path, or a link to one.
///
/// Never fails: what could not be read stands in the inventory's problems, and a target of which nothing could be read
/// is of the kind [`TargetKind::Unrecognised`].
pub fn read(target: &str, options: &ReadOptions) -> Inventory {
    let mut gathered = Gathered::default();
    if target == "-" {
        documents::file(target, options, &mut gathered);
    } else {
        path(target, options, &mut gathered);
    }
    nix_documents::derivations(options, &mut gathered);
    if gathered.is_empty() {
        gathered.problem(target, "holds nothing that could be read");
    }
    gathered.finish(target)
}

fn path(target: &str, options: &ReadOptions, into: &mut Gathered) {
    let path = Path::new(target);
    // A store path is asked of the database, which knows it also where its files are elsewhere.
    let real = path.canonicalize();
    let real = match &real {
        Ok(real) => real.as_path(),
        Err(_) if path.starts_with(&options.store_dir) => path,
        // A pipe (`/dev/fd/63`, `/dev/stdin`) opens under its name and has no other.
        Err(_) if path.metadata().is_ok() => path,
        Err(error) if path.is_symlink() => {
            return into.problem(target, format!("is a link that leads nowhere: {error}"));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return into.problem(target, missing(target)),
        Err(error) => return into.problem(target, format!("cannot be read: {error}")),
    };
    let store_dir = options.store_dir.canonicalize().unwrap_or_else(|_| options.store_dir.clone());
    let inside = real.strip_prefix(&store_dir).or_else(|_| real.strip_prefix(&options.store_dir));
    match inside.ok().and_then(|inside| inside.components().next()) {
        Some(first) if !is_document(real) => {
            let root = options.store_dir.join(first);
            if root.extension().is_some_and(|extension| extension == "drv") {
                return closure::derivations(&root, options, into);
            }
            closure::read(&[root], options, into);
        }
        _ if real.is_dir() => folder(target, path, options, into),
        _ => documents::file(target, options, into),
    }
}

/// A regular file in the store is a document where its name says so: an SBOM that was built is not a closure.
fn is_document(real: &Path) -> bool {
    const EXTENSIONS: &[&str] = &["json", "txt", "lock", "tar", "gz", "xz", "zst"];
    let extension = real.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.contains(&extension) && real.is_file()
}

fn missing(target: &str) -> String {
    let remote = ["github:", "gitlab:", "sourcehut:", "git+", "git@", "https://", "http://", "flake:", "path:"];
    if remote.iter().any(|scheme| target.starts_with(scheme)) {
        return "is a repository somewhere else, which has to be fetched first".to_owned();
    }
    "no such file, store path or repository".to_owned()
}

fn folder(target: &str, path: &Path, options: &ReadOptions, into: &mut Gathered) {
    let lock = path.join("flake.lock");
    if is_repository(path) {
        into.configuration = Some(Box::new(configuration::read_repository(path)));
    }
    if lock.is_file() {
        return documents::file(&lock.display().to_string(), options, into);
    }
    if path.join("flake.nix").is_file() {
        into.recognise(TargetKind::FlakeLock);
        return into.problem(target, "is a flake without a flake.lock; run `nix flake lock` and audit again");
    }
    input::entries(path, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Ok(entry) => documents::bytes(entry.name, entry.bytes, options, into),
        Err(error) => into.problem(error.name(), error.message()),
    });
    if into.is_empty() {
        into.problem(target, "is a folder without a file to read");
    }
}

/// A folder of sources, and not one of documents.
fn is_repository(folder: &Path) -> bool {
    ["flake.nix", "flake.lock", "configuration.nix", ".git"].iter().any(|name| folder.join(name).exists())
}

#[cfg(test)]
mod tests;
