//! What a command takes from its surroundings: folders of configuration, the program path, the store.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aux_app::config::Places;
use aux_inventory::ReadOptions;

/// Where configuration may lie beside the target's own folders.
pub(crate) fn config_places() -> Places {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| home.map(|home| home.join(".config")));
    Places { user: folder.map(|folder| folder.join("aux/aux.toml")), system: Some(PathBuf::from("/etc/aux/aux.toml")) }
}

/// The path from the root, so that its parents can be walked.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Where Nix keeps its store and state, as its own variables say.
pub(crate) fn read_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(store) = folder("NIX_STORE_DIR") {
        options.store_dir = store;
    }
    if let Some(state) = folder("NIX_STATE_DIR") {
        options.nix_state_dir = state;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    options.nix_store_program =
        env::split_paths(&path).map(|folder| folder.join("nix-store")).find(|file| file.is_file());
    let kept = ["PATH", "HOME", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_REMOTE"];
    options.environment = kept.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?))).collect();
    options
}

/// Who sits here, as git or the system knows them.
#[expect(clippy::disallowed_methods, reason = "who decides is a fact about the surroundings")]
pub(crate) fn author() -> Option<String> {
    ["GIT_AUTHOR_NAME", "USER"].iter().find_map(|name| env::var(name).ok().filter(|text| !text.trim().is_empty()))
}
