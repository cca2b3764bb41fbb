//! What a command takes from its surroundings: folders of configuration, the program path, the store.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aux_app::config::{Places, load};
use aux_inventory::ReadOptions;
use aux_io::input;

use crate::failure::Failure;

/// A host's name has 64 bytes at most (`HOST_NAME_MAX` of Linux).
const HOST_NAME_BYTES_MAX: u64 = 256;

/// Where configuration may lie beside the target's own folders.
pub(crate) fn config_places() -> Places {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| home.map(|home| home.join(".config")));
    Places { user: folder.map(|folder| folder.join("aux/aux.toml")), system: Some(PathBuf::from("/etc/aux/aux.toml")) }
}

/// What alerts need to know of the session.
pub(crate) fn alert_session() -> aux_alert::Session {
    let address = env::var_os("DBUS_SESSION_BUS_ADDRESS").and_then(|address| address.into_string().ok());
    aux_alert::Session {
        bus_address: address.filter(|address| !address.is_empty()),
        user_agent: concat!("aux/", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// The `[alert]` table of the user's file or the system's.
pub(crate) fn alert_settings() -> Result<aux_alert::Settings, Failure> {
    let config = load(Path::new("/"), &config_places()).map_err(Failure::new)?;
    let (settings, folder) = config.alert_settings::<aux_alert::Settings>().map_err(Failure::new)?;
    Ok(settings.in_folder(&folder))
}

/// This machine, as alerts name it.
pub(crate) fn host_name() -> String {
    let name = input::read("/proc/sys/kernel/hostname", HOST_NAME_BYTES_MAX).ok();
    let name = name.and_then(|bytes| String::from_utf8(bytes).ok()).map(|name| name.trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
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
