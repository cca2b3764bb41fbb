//! This machine, when no target is named: the running NixOS system and every Nix profile.

use crate::{Gathered, ReadOptions, closure, configuration};
use aux_core::{Inventory, TargetKind};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the inventory of the whole machine is called.
const NAME: &str = "this machine";

/// Folders of profiles nested below the profiles folder: `per-user/<user>/`.
const PROFILE_DEPTH_MAX: usize = 2;

/// Reads the closure of the running system and of all profiles the store keeps.
pub fn read_machine(options: &ReadOptions) -> Inventory {
    let mut gathered = Gathered::default();
    gathered.configuration = Some(Box::new(configuration::read_running(&options.root)));
    let mut roots = BTreeSet::new();
    roots.extend(store_path(&options.current_system, options));
    profiles(&options.nix_state_dir.join("profiles"), PROFILE_DEPTH_MAX, options, &mut roots);
    let home = options.environment.iter().find(|(name, _)| name == "HOME").map(|(_, value)| PathBuf::from(value));
    if let Some(home) = &home {
        profiles(&home.join(".local/state/nix/profiles"), 0, options, &mut roots);
    }
    if roots.is_empty() {
        let mut looked =
            format!("{} and {}/profiles", options.current_system.display(), options.nix_state_dir.display());
        if let Some(home) = &home {
            looked = format!("{looked} and {}/.local/state/nix/profiles", home.display());
        }
        gathered.problem(
            NAME,
            format!("no running NixOS and no Nix profile was found (looked at {looked}); name a target"),
        );
    } else {
        let roots: Vec<PathBuf> = roots.into_iter().collect();
        closure::read(&roots, options, &mut gathered);
    }
    gathered.finish(NAME)
}

/// Reads how the running system is configured, and not what it is made of.
pub fn read_machine_configuration(options: &ReadOptions) -> Inventory {
    let mut gathered = Gathered::default();
    gathered.recognise(TargetKind::Configuration);
    gathered.configuration = Some(Box::new(configuration::read_running(&options.root)));
    let is_this = options.root == Path::new("/");
    gathered.finish(&if is_this { NAME.to_owned() } else { options.root.display().to_string() })
}

/// Collects what the current generation of each profile in a folder points to.
fn profiles(folder: &Path, depth_left: usize, options: &ReadOptions, roots: &mut BTreeSet<PathBuf>) {
    // A machine without profiles has no such folder.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth_left > 0 {
            profiles(&entry.path(), depth_left - 1, options, roots);
        } else if kind.is_symlink() && !is_old_generation(&entry.file_name().to_string_lossy()) {
            roots.extend(store_path(&entry.path(), options));
        }
    }
}

/// `system-42-link` is a generation; `system` points to the current one.
fn is_old_generation(name: &str) -> bool {
    name.strip_suffix("-link")
        .and_then(|rest| rest.rsplit_once('-'))
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn store_path(link: &Path, options: &ReadOptions) -> Option<PathBuf> {
    let real = link.canonicalize().ok()?;
    let store_dir = options.store_dir.canonicalize().ok()?;
    let first = real.strip_prefix(store_dir).ok()?.components().next()?;
    Some(options.store_dir.join(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_told_from_profiles() {
        assert!(is_old_generation("system-42-link"));
        for name in ["system", "default", "my-link", "system--link", "channels-x-link"] {
            assert!(!is_old_generation(name), "{name}");
        }
    }

    #[test]
    fn a_machine_without_nix_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let options = ReadOptions {
            nix_state_dir: folder.path().join("state"),
            current_system: folder.path().join("none"),
            root: folder.path().to_path_buf(),
            ..ReadOptions::default()
        };
        let inventory = read_machine(&options);
        assert!(inventory.components.is_empty());
        assert!(inventory.problems[0].message.contains("name a target"));
    }
}
