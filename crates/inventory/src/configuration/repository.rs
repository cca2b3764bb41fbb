//! A folder of sources: private keys that lie open in it, its locks, and the releases its inputs belong to.

use std::fs;
use std::path::Path;

use aux_core::configuration::Release;
use aux_core::limits::{DOCUMENT_BYTES_MAX, FOLDER_DEPTH_MAX, SECRET_START_BYTES_MAX, SYSTEM_ENTRIES_MAX};
use aux_core::{Configuration, ConfigurationSource, Fact, FlakeInput};
use aux_io::input;
use aux_nix::flake_lock::{self, FlakeLockError};

use super::private_key;
use super::system_root::SystemRoot;

/// Reads what a folder of sources tells, links not followed.
pub fn read(folder: &Path) -> Configuration {
    let mut configuration = Configuration { source: ConfigurationSource::Repository, ..Configuration::default() };
    configuration.secrets.in_repository = private_keys(folder);
    let lock = folder.join("flake.lock");
    if lock.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        match input::read(&lock, DOCUMENT_BYTES_MAX) {
            Ok(bytes) => inputs(&bytes, &mut configuration),
            Err(error) => unread(&error.to_string(), &mut configuration),
        }
    } else if let Ok(bytes) = SystemRoot::new(folder).start("flake.nix", SECRET_START_BYTES_MAX) {
        let has_inputs = String::from_utf8_lossy(&bytes).lines().any(names_inputs);
        let unlocked =
            if has_inputs { vec!["the inputs of flake.nix, which has no flake.lock".to_owned()] } else { Vec::new() };
        configuration.inputs.unlocked = Fact::seen(unlocked, "flake.nix");
        if has_inputs {
            configuration.inputs.locked = Fact::unseen("there is no flake.lock that says how old the inputs are");
            configuration.releases = Fact::unseen("there is no flake.lock that names the inputs' branches");
        }
    }
    configuration
}

/// What a lock alone tells.
pub(crate) fn of_lock(bytes: &[u8]) -> Configuration {
    let mut configuration = Configuration { source: ConfigurationSource::Repository, ..Configuration::default() };
    inputs(bytes, &mut configuration);
    configuration
}

fn inputs(lock: &[u8], into: &mut Configuration) {
    match flake_lock::parse(lock) {
        Ok(inputs) => {
            let unlocked = inputs.iter().filter(|input| is_loose(input)).map(|input| input.name.clone()).collect();
            into.inputs.unlocked = Fact::seen(unlocked, "flake.lock");
            into.releases = match releases(&inputs) {
                releases if releases.is_empty() => Fact::NotAsked,
                releases => Fact::seen(releases, "flake.lock"),
            };
            into.inputs.locked = Fact::seen(inputs, "flake.lock");
        }
        Err(FlakeLockError::Unlocked(name)) => {
            into.inputs.unlocked = Fact::seen(vec![name], "flake.lock");
            into.inputs.locked = Fact::unseen("an input of flake.lock is not locked, so its age is not known");
        }
        Err(error) => unread(&error.to_string(), into),
    }
}

fn unread(why: &str, into: &mut Configuration) {
    let why = format!("flake.lock cannot be read: {why}");
    into.inputs.unlocked = Fact::unseen(&why);
    into.inputs.locked = Fact::unseen(why);
}

/// A path of this machine is not the same on another one, and has neither revision nor date.
fn is_loose(input: &FlakeInput) -> bool {
    input.follows.is_none()
        && input.revision.is_none()
        && input.last_modified.is_none()
        // A folder of the repository itself is as locked as the repository.
        && input.source.starts_with("path:/")
}

/// Whether a line of a flake.nix declares inputs: `inputs =` or `inputs.name.url =`, and not a use of them.
fn names_inputs(line: &str) -> bool {
    const WORD: &str = "inputs";
    let code = line.split_once('#').map_or(line, |(before, _)| before);
    code.match_indices(WORD).any(|(at, _)| {
        let before = code.get(..at).and_then(|before| before.chars().next_back());
        let path = |c: char| c.is_alphanumeric() || "._-\"".contains(c);
        let rest = code.get(at + WORD.len()..).unwrap_or_default().trim_start_matches(path).trim_start();
        !before.is_some_and(path) && rest.starts_with('=') && !rest.starts_with("==")
    })
}

/// Branches of the distribution, as inputs name them: `nixos-24.05`, `nixpkgs-unstable`, `release-24.05`.
fn releases(inputs: &[FlakeInput]) -> Vec<Release> {
    let of = |input: &FlakeInput| {
        if !input.source.to_ascii_lowercase().contains("nixpkgs") {
            return None;
        }
        let branch = input.branch.as_deref()?;
        let name = ["nixos-", "nixpkgs-", "release-"].iter().find_map(|prefix| branch.strip_prefix(prefix))?;
        let name = name.strip_suffix("-small").or(name.strip_suffix("-darwin")).unwrap_or(name);
        Some(Release { name: name.to_owned(), of: format!("{} ({branch})", input.name) })
    };
    inputs.iter().filter_map(of).collect()
}

fn private_keys(folder: &Path) -> Fact<Vec<String>> {
    let mut walk = Walk::default();
    walk.folder(folder, "", FOLDER_DEPTH_MAX);
    let how = format!("{} files", walk.files);
    match walk.unread {
        Some(why) if walk.found.is_empty() => Fact::unseen(why),
        _ => Fact::seen(walk.found, how),
    }
}

#[derive(Default)]
struct Walk {
    found: Vec<String>,
    files: usize,
    entries: usize,
    /// Why it is not whole: the first reason met.
    unread: Option<String>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, name: &str, depth_left: usize) {
        if depth_left == 0 {
            return self.miss(format!("{name} nests too deep (FOLDER_DEPTH_MAX)"));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.miss(format!("{name}/ cannot be read: {error}")),
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.entries += 1;
            if self.entries > SYSTEM_ENTRIES_MAX {
                return self.miss(format!("there are more than {SYSTEM_ENTRIES_MAX} files (SYSTEM_ENTRIES_MAX)"));
            }
            let own = entry.file_name().to_string_lossy().into_owned();
            let path = if name.is_empty() { own.clone() } else { format!("{name}/{own}") };
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && own != ".git" {
                self.folder(&entry.path(), &path, depth_left - 1);
            } else if kind.is_file() {
                self.file(folder, &own, &path);
            }
        }
    }

    fn file(&mut self, folder: &Path, own: &str, path: &str) {
        self.files += 1;
        match SystemRoot::new(folder).start(own, SECRET_START_BYTES_MAX) {
            Ok(bytes) => {
                if let Some(kind) = private_key::kind(&bytes) {
                    self.found.push(format!("{path} ({kind})"));
                }
            }
            Err(error) => self.miss(error.why(path)),
        }
    }

    fn miss(&mut self, why: String) {
        self.unread.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_inputs_are_told_from_used_ones() {
        for line in ["  inputs = {", "{ inputs.nixpkgs.url = \"x\"; }", "inputs.\"a-b\".url=\"x\";"] {
            assert!(names_inputs(line), "{line}");
        }
        for line in
            ["# inputs = {", "outputs = inputs: inputs.nixpkgs.lib", "outputs = { self }@inputs:", "old-inputs = 1;"]
        {
            assert!(!names_inputs(line), "{line}");
        }
    }
}
