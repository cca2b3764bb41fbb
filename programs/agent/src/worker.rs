//! The daemon's rounds run in a child of their own: the memory that an audit needs is given back by its end.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use aux_io::process::{self, Command, ProcessError};
use aux_watch::Report;

use crate::Args;
use crate::settings::environment;

/// A round on a machine with a slow disk and many targets.
const TIME_LIMIT: Duration = Duration::from_hours(1);

/// What a child sees of the environment.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "SSL_CERT_FILE",
    "LANG",
    "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "NIX_STORE_DIR",
    "NIX_STATE_DIR",
    "NIX_CONF_DIR",
    "NIX_REMOTE",
];

/// Runs one round in a child.
pub(crate) fn round(args: &Args, is_forced: bool, is_offline: bool) -> Result<Report, String> {
    let mut command = Command::new("/proc/self/exe", TIME_LIMIT).argument("--once").argument("--json");
    command.environment = environment(KEPT);
    if is_offline || args.offline {
        command = command.argument("--offline");
    }
    if is_forced {
        command = command.argument("--force");
    }
    let mut pass = |flag: &str, value: Option<&Path>| {
        if let Some(value) = value {
            command.arguments.extend([OsString::from(flag), value.as_os_str().to_owned()]);
        }
    };
    pass("--config", args.config.as_deref());
    pass("--feed", args.feed.as_deref());
    pass("--state", args.state.as_deref());
    pass("--runtime", args.runtime.as_deref());
    pass("--metrics-file", args.metrics_file.as_deref());
    match process::run(&command) {
        Ok(stdout) => serde_json::from_slice(&stdout).map_err(|error| format!("the round's own report: {error}")),
        Err(ProcessError::Status { stderr, .. }) if !stderr.trim().is_empty() => Err(stderr.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
