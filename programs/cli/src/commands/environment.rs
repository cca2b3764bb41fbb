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

/// Where this user's own state lies: `/var/lib/aux` for root, and `$XDG_STATE_HOME/aux` or `~/.local/state/aux` for others.
pub(crate) fn state_folder() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let of_user = || folder("HOME").map(|home| home.join(".local/state"));
    let is_root = rustix::process::geteuid().is_root();
    match folder("XDG_STATE_HOME").or_else(|| if is_root { None } else { of_user() }) {
        Some(state) => state.join("aux"),
        None => PathBuf::from("/var/lib/aux"),
    }
}

/// The system bus and the session's bus, as the D-Bus specification finds them: a socket's path where it is one.
pub(crate) fn buses() -> [(&'static str, Option<PathBuf>); 2] {
    let variable =
        |name: &str| env::var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
    let path = |address: String| {
        let rest = address.split(';').find_map(|one| one.strip_prefix("unix:path=").map(str::to_owned));
        rest.map(|rest| PathBuf::from(rest.split(',').next().unwrap_or_default()))
    };
    let system = match variable("DBUS_SYSTEM_BUS_ADDRESS") {
        Some(address) => path(address),
        None => Some(PathBuf::from("/var/run/dbus/system_bus_socket")),
    };
    let in_runtime = || variable("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("bus"));
    let session = variable("DBUS_SESSION_BUS_ADDRESS").map_or_else(in_runtime, path);
    [("system bus", system), ("session bus", session)]
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
