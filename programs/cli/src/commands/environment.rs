//! What a command takes from its surroundings: folders of configuration and cache, programs, the store.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aux_app::config::{Places, load_own};
use aux_inventory::{Nix, ReadOptions};
use aux_io::input;
use aux_repo::Git;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::flakes::{Flakes, NO_EVALUATION, NO_NIX};
use crate::failure::Failure;

/// A host's name has 64 bytes at most (`HOST_NAME_MAX` of Linux).
const HOST_NAME_BYTES_MAX: u64 = 256;

/// Where configuration may lie beside the target's own folders.
pub(crate) fn config_places() -> Places {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    // A relative one is to be ignored (XDG Base Directory Specification): it would make a checkout's file the user's.
    let folder = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| home.map(|home| home.join(".config")));
    Places { user: folder.map(|folder| folder.join("aux/aux.toml")), system: Some(PathBuf::from("/etc/aux/aux.toml")) }
}

/// Where an administrator keeps an identity that opens secrets, if they do.
pub(crate) fn secrets_identity() -> Option<PathBuf> {
    Some(config_places().user?.with_file_name("secrets-identity"))
}

/// This machine's own identity, where it has a key in a file and no slots.
pub(crate) fn machine_identity() -> PathBuf {
    state_folder().join("identity")
}

/// Where an administrator's units of systemd lie, as its own variable says (systemd.unit(5)).
pub(crate) fn unit_folder() -> PathBuf {
    let named = env::var_os("SYSTEMD_UNIT_PATH").filter(|path| !path.is_empty());
    let first = named.and_then(|path| env::split_paths(&path).next()).filter(|path| path.is_absolute());
    first.unwrap_or_else(|| PathBuf::from("/etc/systemd/system"))
}

/// This very program, from the root.
pub(crate) fn own_program() -> Option<PathBuf> {
    env::current_exe().ok()
}

/// The editor somebody chose.
pub(crate) fn editor() -> Option<String> {
    let named = |name| env::var_os(name).and_then(|editor| editor.into_string().ok());
    ["VISUAL", "EDITOR"].into_iter().filter_map(named).find(|editor| !editor.trim().is_empty())
}

/// Where programs are looked for.
pub(crate) fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// How many sockets systemd handed to this very process (`sd_listen_fds(3)`), from descriptor 3 on.
pub(crate) fn handed_sockets() -> usize {
    let number = |name: &str| env::var_os(name)?.into_string().ok()?.parse::<usize>().ok();
    let is_ours = number("LISTEN_PID") == usize::try_from(std::process::id()).ok();
    number("LISTEN_FDS").filter(|_| is_ours).unwrap_or(0)
}

/// A session's own folder in memory.
pub(crate) fn runtime_folder() -> Option<PathBuf> {
    env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from)
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

/// Where a synced feed is kept when nobody says: the machine's for root, else the user's (XDG Base Directory).
pub(crate) fn feed_state_folder() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let machine = PathBuf::from("/var/lib/aux/feed");
    match own.map(|own| own.join("aux/feed")) {
        // Somebody who never synced takes what the machine keeps for everybody.
        Some(own) if own.join("feed.json").exists() || !machine.join("feed.json").exists() => own,
        _ => machine,
    }
}

/// Where it is kept which revisions of vulnerability lists an audit of images saw: with the user, also for root.
pub(crate) fn image_state_folder() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    own.unwrap_or_else(|| PathBuf::from("/var/lib")).join("aux/image")
}

/// Now, or the start of a day that was asked for.
pub(crate) fn now(as_of: Option<Date>) -> Result<Timestamp, Failure> {
    match as_of {
        Some(day) => day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(Failure::new),
        None => Ok(Timestamp::now()),
    }
}

/// What alerts need to know of the session.
pub(crate) fn alert_session() -> Result<aux_alert::Session, Failure> {
    let address = env::var_os("DBUS_SESSION_BUS_ADDRESS").and_then(|address| address.into_string().ok());
    Ok(aux_alert::Session {
        bus_address: address.filter(|address| !address.is_empty()),
        user_agent: concat!("aux/", env!("CARGO_PKG_VERSION")).to_owned(),
        proxy: super::network::proxy()?,
    })
}

/// The `[alert]` table of the user's file or the system's.
pub(crate) fn alert_settings() -> Result<aux_alert::Settings, Failure> {
    let config = load_own(&config_places()).map_err(Failure::new)?;
    let (settings, folder) = config.alert_settings::<aux_alert::Settings>().map_err(Failure::new)?;
    Ok(settings.in_folder(&folder))
}

/// This machine, as alerts name it.
pub(crate) fn host_name() -> String {
    let name = input::read("/proc/sys/kernel/hostname", HOST_NAME_BYTES_MAX).ok();
    let name = name.and_then(|bytes| String::from_utf8(bytes).ok()).map(|name| name.trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned())
}

/// Any number, for waits that should not all end at once; where there is none, they do.
pub(crate) fn random_number() -> u64 {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled == Ok(bytes.len()) { u64::from_ne_bytes(bytes) } else { 0 }
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
    options.nix_store_program = program("nix-store");
    let kept = ["PATH", "HOME", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_REMOTE"];
    options.environment = kept.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?))).collect();
    options
}

/// A program on the path.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What an evaluation is given beside what `nix-store` is: its settings, its way to the network, its keys.
const NIX_VARIABLES: [&str; 19] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "NIX_STORE_DIR",
    "NIX_STATE_DIR",
    "NIX_LOCALSTATE_DIR",
    "NIX_LOG_DIR",
    "NIX_CONF_DIR",
    "NIX_CONFIG",
    "NIX_USER_CONF_FILES",
    "NIX_REMOTE",
    "NIX_SSL_CERT_FILE",
    "SSL_CERT_FILE",
    "SSH_AUTH_SOCK",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
];

/// The program git; it picks what it needs of the environment by itself.
pub(crate) fn git() -> Git {
    Git::new(program("git").unwrap_or_else(|| PathBuf::from("git")), &env::vars_os().collect::<Vec<_>>())
}

/// Where files of the moment are made.
pub(crate) fn scratch_folder() -> PathBuf {
    cache_folder().join("scratch")
}

/// What `uname -s` says on this machine.
pub(crate) fn uname() -> String {
    let name = match env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "illumos" | "solaris" => "SunOS",
        "freebsd" => "FreeBSD",
        "netbsd" => "NetBSD",
        other => other,
    };
    name.to_owned()
}

/// How flakes are read here.
pub(crate) fn flakes(options: &ReadOptions, is_evaluated: bool, is_offline: bool) -> Flakes {
    let kept = |names: &[&str]| -> Vec<(OsString, OsString)> {
        names.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?))).collect()
    };
    let nix = program("nix")
        .filter(|_| is_evaluated)
        .map(|program| Nix { is_offline, ..Nix::new(program, kept(&NIX_VARIABLES)) });
    let git = git();
    let architecture = match env::consts::ARCH {
        "x86" => "i686",
        other => other,
    };
    let system = format!("{architecture}-{}", if env::consts::OS == "macos" { "darwin" } else { env::consts::OS });
    Flakes {
        nix,
        why_not: if is_evaluated { NO_NIX } else { NO_EVALUATION },
        git,
        is_offline,
        cache: cache_folder().join("repositories"),
        system,
        options: options.clone(),
    }
}

/// `$XDG_CACHE_HOME/aux`, or `~/.cache/aux`; where there is no home, the folder for what nobody misses.
fn cache_folder() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("aux")
}

/// Who sits here, as git or the system knows them.
#[expect(clippy::disallowed_methods, reason = "who decides is a fact about the surroundings")]
pub(crate) fn author() -> Option<String> {
    ["GIT_AUTHOR_NAME", "USER"].iter().find_map(|name| env::var(name).ok().filter(|text| !text.trim().is_empty()))
}
