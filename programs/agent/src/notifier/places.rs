//! Where the notifier keeps its state, and whether its user wants toasts at all.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aux_alert::Queue;
use aux_app::config::{self, ConfigError, Places};

use crate::say;

/// The queue of one user: what was shown, and what waits.
pub(crate) const QUEUE: &str = "notifier.sqlite";

/// The folder for state (XDG Base Directory Specification).
pub(crate) fn state_folder(typed: Option<&Path>) -> Result<PathBuf, String> {
    let own = || Some(of_user("XDG_STATE_HOME", ".local/state")?.join("aux"));
    typed.map(Path::to_path_buf).or_else(own).ok_or_else(|| {
        "there is no place to keep what was shown: neither XDG_STATE_HOME nor HOME is set; or name one: --state DIR"
            .to_owned()
    })
}

/// The queue in that folder, both of which are made where they are missing.
pub(crate) fn open_queue(folder: &Path) -> Result<Queue, String> {
    // "If, when attempting to write a file, the destination directory is non-existent an attempt should be made to create
    // it with permission 0700."
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("{}: {error}; it keeps what was shown; --state DIR names another", folder.display()))?;
    Queue::open(folder.join(QUEUE)).map_err(|error| error.to_string())
}

/// Whether toasts are switched off, by the user's file or, where that says nothing, the system's.
pub(crate) fn wants_toasts() -> Result<bool, String> {
    let user = of_user("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("aux/aux.toml"));
    let places = Places { user, system: Some(PathBuf::from("/etc/aux/aux.toml")) };
    let config = match config::load(Path::new("/"), &places) {
        Ok(config) => config,
        // A file that only root may read says nothing to a user.
        Err(error @ ConfigError::Input(_)) => {
            say::warn(&error.to_string());
            return Ok(true);
        }
        Err(error) => return Err(error.to_string()),
    };
    let (settings, _) = config.alert_settings::<aux_alert::Settings>().map_err(|error| error.to_string())?;
    Ok(settings.notification != Some(false))
}

/// "All paths set in these environment variables must be absolute. If an implementation encounters a relative path … it
/// should consider the path invalid and ignore it."
fn of_user(variable: &str, below_home: &str) -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder(variable).or_else(|| folder("HOME").map(|home| home.join(below_home)))
}
