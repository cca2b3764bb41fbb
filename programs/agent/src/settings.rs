//! What the agent was told: flags first, then the `[agent]` table, then systemd's folders, then defaults.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aux_app::config::{self, Config};
use aux_audit::{DEFAULT_GATE, Gate, Only, Policy, Waivers};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_inventory::ReadOptions;
use aux_watch::state::Belief;
use aux_watch::{Store, Watched};
use jiff::Timestamp;

use crate::Args;
use crate::feed::Feed;

const CONFIG: &str = "/etc/aux/aux.toml";
const STATE: &str = "/var/lib/aux";
const RUNTIME: &str = "/run/aux";
const EVERY_HOURS: u32 = 24;
/// A week: long enough for a machine that was off over the weekend, short enough to be true.
const MAX_AGE_HOURS: u32 = 7 * 24;

/// Everything a round and the interfaces need to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) feed: Feed,
    pub(crate) state: PathBuf,
    pub(crate) runtime: PathBuf,
    pub(crate) metrics_file: Option<PathBuf>,
    pub(crate) machine: bool,
    pub(crate) targets: Vec<String>,
    pub(crate) every_seconds: u64,
    pub(crate) max_age_seconds: u64,
    pub(crate) policy: Policy,
    pub(crate) alert_on: Gate,
    pub(crate) has_bus: bool,
    pub(crate) read: ReadOptions,
    pub(crate) alert: aux_alert::Settings,
    pub(crate) alert_queue: PathBuf,
}

impl Settings {
    /// Reads the configuration; the error is a sentence for a person.
    pub(crate) fn load(args: &Args) -> Result<Self, String> {
        let config = load(args.config.as_deref())?;
        let agent = config.agent.as_ref().map(|set| set.value.clone()).unwrap_or_default();
        let gate = |words: &str| Gate::read(words).map_err(|error| error.to_string());
        let fail_on = config.fail_on.as_ref().map_or(DEFAULT_GATE, |set| set.value.as_str());
        let hours = |set: Option<u32>, default: u32| u64::from(set.unwrap_or(default)) * 3_600;
        let state = folder(args.state.as_deref(), agent.state, "STATE_DIRECTORY", STATE);
        let (alert, alert_folder) =
            config.alert_settings::<aux_alert::Settings>().map_err(|error| error.to_string())?;
        let alert = alert.in_folder(&alert_folder);
        let feed_age = config.feed_max_age_days.as_ref().map(|set| set.value.saturating_mul(24));
        Ok(Self {
            feed: Feed::chosen(args.feed.as_deref(), &config, &state),
            alert_queue: alert.queue.clone().unwrap_or_else(|| state.join("alerts.sqlite")),
            alert,
            state,
            runtime: folder(args.runtime.as_deref(), agent.runtime, "RUNTIME_DIRECTORY", RUNTIME),
            metrics_file: args.metrics_file.clone().or(agent.metrics_file),
            machine: agent.machine.unwrap_or(true),
            targets: agent.targets,
            every_seconds: hours(agent.every_hours, EVERY_HOURS),
            max_age_seconds: hours(agent.max_age_hours.or(feed_age), MAX_AGE_HOURS),
            policy: policy(&config, gate(fail_on)?)?,
            alert_on: gate(agent.alert_on.as_deref().unwrap_or(fail_on))?,
            has_bus: agent.bus.unwrap_or(true) && !args.no_bus,
            read: read_options(),
        })
    }

    /// What an answer at a moment may be believed by.
    pub(crate) fn belief(&self, now: Timestamp) -> Belief {
        Belief { max_age_seconds: self.max_age_seconds, feed_signed: self.feed.signed(), now }
    }

    /// This machine, the configured targets, and those that somebody added.
    pub(crate) fn watched(&self, store: Option<&Store>) -> Result<Vec<Watched>, String> {
        let mut watched = Vec::new();
        if self.machine {
            watched.push(Watched::this_machine(self.every_seconds));
        }
        watched.extend(self.targets.iter().map(|target| Watched::target(target.as_str(), self.every_seconds)));
        let added = store.map(Store::watched).transpose().map_err(|error| error.to_string())?;
        watched.extend(added.unwrap_or_default());
        let mut seen = std::collections::BTreeSet::new();
        watched.retain(|system| seen.insert(system.name.clone()));
        Ok(watched)
    }
}

fn load(named: Option<&Path>) -> Result<Config, String> {
    let file = named.unwrap_or(Path::new(CONFIG));
    if named.is_none() && !file.exists() {
        return Ok(Config::default());
    }
    config::load_file(file).map_err(|error| error.to_string())
}

#[expect(clippy::disallowed_methods, reason = "systemd names the folders it made in the environment")]
fn folder(typed: Option<&Path>, configured: Option<PathBuf>, variable: &str, default: &str) -> PathBuf {
    let by_systemd = || env::var(variable).ok().filter(|value| !value.is_empty());
    // systemd.exec(5): several folders are separated by colons, the first is ours.
    let by_systemd = || by_systemd().and_then(|value| value.split(':').next().map(PathBuf::from));
    typed.map(Path::to_path_buf).or(configured).or_else(by_systemd).unwrap_or_else(|| PathBuf::from(default))
}

fn policy(config: &Config, gate: Gate) -> Result<Policy, String> {
    let mut waivers = Waivers::default();
    for path in config.waivers.iter().flat_map(|set| &set.value) {
        let bytes = aux_io::input::read(path, DOCUMENT_BYTES_MAX).map_err(|error| error.to_string())?;
        waivers.read_bytes(&path.display().to_string(), &bytes).map_err(|error| error.to_string())?;
    }
    let runtime_only = config.runtime_only.as_ref().is_some_and(|set| set.value);
    let gate_file = config.fail_on.as_ref().map(|set| set.file.display().to_string());
    // How old the feed is has its own bound, which is held whenever somebody asks. Only packages are watched, so that
    // the day of the terms for configurations has no part.
    let rest = Policy::new(gate, Timestamp::UNIX_EPOCH);
    Ok(Policy { gate_file, waivers, runtime_only, only: Only::Packages, ..rest })
}

/// Where Nix keeps its store and state, as its own variables say.
fn read_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    options.store_dir = folder("NIX_STORE_DIR").unwrap_or(options.store_dir);
    options.nix_state_dir = folder("NIX_STATE_DIR").unwrap_or(options.nix_state_dir);
    let path = env::var_os("PATH").unwrap_or_default();
    options.nix_store_program =
        env::split_paths(&path).map(|folder| folder.join("nix-store")).find(|file| file.is_file());
    options.environment =
        environment(&["PATH", "HOME", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_REMOTE"]);
    options
}

/// The named variables that are set.
pub(crate) fn environment(names: &[&str]) -> Vec<(OsString, OsString)> {
    names.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?))).collect()
}
