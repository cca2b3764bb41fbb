//! What the doctor looks at, one function each. Nothing is changed, and nothing but sockets of this machine is asked.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_advisory::index::Index;
use aux_app::config::{self, Config};
use aux_audit::{DEFAULT_GATE, Gate};
use aux_watch::FILE_NAME;
use jiff::Timestamp;
use serde_json::Value;

use super::{Args, Checked, Health};
use crate::commands::{environment, synced};
use crate::ui::counted;

/// A feed older than this says little about today.
const FEED_AGE_DAYS_MAX: i64 = 7;
/// This program is younger than this moment, so a clock before it is wrong: 1 January 2026.
const BORN_SECONDS: i64 = 1_767_225_600;
/// How long the agent may take to answer.
const AGENT_PATIENCE: Duration = Duration::from_secs(10);

/// Looks at everything.
pub(super) fn all(args: &Args, now: Timestamp) -> Vec<Checked> {
    let mut checks = Vec::new();
    let places = environment::config_places();
    let config = match config::load(&environment::absolute(Path::new(".")), &places) {
        Ok(config) => {
            checks.push(configuration(&config));
            config
        }
        Err(error) => {
            checks.push(wrong("configuration", error.to_string(), "mend the file; `aux config show` reads it again"));
            Config::default()
        }
    };
    let path = args.feed.clone().or_else(|| config.feed.as_ref().map(|set| set.value.clone()));
    let built = match path {
        Some(path) => feed(&path, now, &mut checks),
        None => synced_feed(&config, now, &mut checks),
    };
    checks.push(clock(built, now));
    checks.push(state(&args.state.clone().unwrap_or_else(environment::state_folder)));
    checks.push(nix());
    let [system, session] = environment::buses();
    checks.push(bus(system.0, system.1));
    checks.push(toasts(&config, session.1.as_deref()));
    checks.push(bus(session.0, session.1));
    agent(&args.runtime, &config, &mut checks);
    checks
}

fn fine(subject: &'static str, message: impl Into<String>) -> Checked {
    Checked { subject, health: Health::Fine, message: message.into(), hint: None }
}

fn absent(subject: &'static str, message: impl Into<String>, hint: &str) -> Checked {
    Checked { subject, health: Health::Absent, message: message.into(), hint: Some(hint.to_owned()) }
}

fn unknown(subject: &'static str, message: impl Into<String>, hint: &str) -> Checked {
    Checked { subject, health: Health::Unknown, message: message.into(), hint: Some(hint.to_owned()) }
}

fn wrong(subject: &'static str, message: impl Into<String>, hint: &str) -> Checked {
    Checked { subject, health: Health::Wrong, message: message.into(), hint: Some(hint.to_owned()) }
}

fn configuration(config: &Config) -> Checked {
    let agent = config.agent.as_ref().and_then(|set| set.value.alert_on.as_deref());
    let mut words = config.fail_on.as_ref().map(|set| set.value.as_str()).into_iter().chain(agent);
    if let Some(error) = words.find_map(|words| Gate::read(words).err()) {
        return wrong(
            "configuration",
            error.to_string(),
            "mend `fail_on` or `alert_on`; `aux config show` names the file",
        );
    }
    match config.files.as_slice() {
        [] => fine("configuration", "no file; the defaults hold"),
        files => {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            fine("configuration", names.join(", "))
        }
    }
}

/// When the feed was built, where it can be read.
fn synced_feed(config: &Config, now: Timestamp, checks: &mut Vec<Checked>) -> Option<Timestamp> {
    let state = synced::state(None, config);
    let current = match state.current() {
        Ok(Some(current)) => current,
        Ok(None) => {
            let hint = "aux feed sync URL --root ROOT.json, or `feed_url` and `feed_root` in aux.toml";
            checks.push(wrong("feed", "none is synced or configured, so nothing can be audited", hint));
            return None;
        }
        Err(error) => {
            checks.push(wrong("feed", error.to_string(), "sync it again: aux feed sync URL --root ROOT.json"));
            return None;
        }
    };
    checks.push(match synced::stale(&current, now, synced::max_age(None, config)) {
        Some(reason) => wrong("feed", reason, "aux feed sync"),
        None => fine("feed", format!("serial {} of {}, signed {}", current.serial, current.url, current.signed)),
    });
    Some(current.built)
}

/// The same of a file, which is taken as given.
fn feed(path: &Path, now: Timestamp, checks: &mut Vec<Checked>) -> Option<Timestamp> {
    let opened = aux_io::file::map(path).map_err(|error| error.to_string()).and_then(|mapped| {
        let index = Index::open(&mapped).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((index.facts().built, index.facts().serial, index.advisories_count()))
    });
    let (built, serial, advisories) = match opened {
        Ok(facts) => facts,
        Err(error) => {
            checks.push(wrong("feed", error, "fetch or build it again"));
            return None;
        }
    };
    let days = now.as_second().saturating_sub(built.as_second()).div_euclid(86_400);
    let age = counted(usize::try_from(days).unwrap_or_default(), "day", "days");
    let message = format!("{}: serial {serial}, {advisories} advisories, {age} old", path.display());
    checks.push(if days > FEED_AGE_DAYS_MAX {
        wrong("feed", message, "what was published since is not known; sync or build it again")
    } else {
        fine("feed", message)
    });
    Some(built)
}

fn clock(built: Option<Timestamp>, now: Timestamp) -> Checked {
    let hint = "set the clock; ages, expiries and signatures are judged by it";
    if now.as_second() < BORN_SECONDS {
        return wrong("clock", format!("it says {now}, which is before this program was made"), hint);
    }
    match built {
        Some(built) if built.as_second() > now.as_second() + 86_400 => {
            wrong("clock", format!("it says {now}, and the feed is of {built}"), hint)
        }
        _ => fine("clock", format!("{now}")),
    }
}

fn state(folder: &Path) -> Checked {
    let database = folder.join(FILE_NAME);
    let hint = "ask as the user it belongs to, or name another folder: --state DIR";
    match std::fs::metadata(&database) {
        Ok(_) => match std::fs::OpenOptions::new().read(true).write(true).open(&database) {
            Ok(_) => fine("state", format!("{} can be read and written", database.display())),
            Err(error) => unknown("state", format!("{}: {error}", database.display()), hint),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => absent(
            "state",
            format!("{}: nothing was watched yet", folder.display()),
            "`aux watch add TARGET`, or start auxd",
        ),
        Err(error) => unknown("state", format!("{}: {error}", database.display()), hint),
    }
}

fn nix() -> Checked {
    let options = environment::read_options();
    let database = options.nix_state_dir.join("db/db.sqlite");
    let program = options.nix_store_program.as_ref().map(|program| program.display().to_string());
    match (aux_io::sqlite::open_read_only(&database), program) {
        (Ok(_), Some(program)) => fine("nix", format!("{} is read; {program} is there", database.display())),
        (Ok(_), None) => fine("nix", format!("{} is read", database.display())),
        (Err(error), Some(program)) if database.exists() => {
            unknown("nix", format!("{error}; {program} is asked instead"), "closures take longer this way")
        }
        (Err(_), Some(program)) => fine("nix", format!("{program} is there; this machine has no store of its own")),
        (Err(_), None) => absent("nix", "no store and no nix-store on the path", "only needed to audit this machine"),
    }
}

fn bus(name: &'static str, socket: Option<PathBuf>) -> Checked {
    let subject = if name == "system bus" { "bus" } else { "session" };
    let needs = match subject {
        "bus" => "software centers and the notifier ask the agent over it",
        _ => "notifications are shown over it; in a terminal alone there is none",
    };
    let Some(socket) = socket else { return absent(subject, format!("no {name} is named"), needs) };
    match UnixStream::connect(&socket) {
        Ok(_) => fine(subject, format!("{name} at {}", socket.display())),
        Err(error) => absent(subject, format!("{name} at {}: {error}", socket.display()), needs),
    }
}

/// Whether somebody in this session would be shown anything.
fn toasts(config: &Config, session: Option<&Path>) -> Checked {
    let settings = config.alert_settings::<aux_alert::Settings>();
    if settings.is_ok_and(|(settings, _)| settings.notification == Some(false)) {
        return absent("toasts", "switched off by `[alert] notification = false`", "remove that line to see them");
    }
    let nowhere = "only a desktop session has them; terminals show the line, and mail and webhooks go anywhere";
    let Some(session) = session.filter(|socket| UnixStream::connect(socket).is_ok()) else {
        return absent("toasts", "there is no session bus here", nowhere);
    };
    let desktop = match aux_alert::desktop::look(&format!("unix:path={}", session.display())) {
        Ok(desktop) => desktop,
        Err(error) => return unknown("toasts", error.to_string(), nowhere),
    };
    let server = match (&desktop.server, desktop.can_start) {
        (Some(server), _) => format!("{server} shows them"),
        (None, true) => "the bus starts a notification server when it is needed".to_owned(),
        (None, false) => {
            let hint = "start one, such as dunst or mako; the notifier waits for it";
            return absent("toasts", "no notification server runs in this session", hint);
        }
    };
    if desktop.has_notifier {
        return fine("toasts", format!("{server}, and the notifier runs"));
    }
    let hint = "systemctl --user enable --now aux-notifier.service, or run aux-notifier";
    absent("toasts", format!("{server}, but no notifier runs in this session"), hint)
}

/// The agent, and what it would tell.
fn agent(runtime: &Path, config: &Config, checks: &mut Vec<Checked>) {
    let socket = runtime.join("agent.sock");
    let status = match ask(&socket) {
        Ok(status) => status,
        Err(error) => {
            let hint = "start auxd.service, or run `auxd --once` by a timer";
            checks.push(absent("agent", format!("{}: {error}", socket.display()), hint));
            checks.push(absent("alerting", "nobody is told while no agent runs", hint));
            return;
        }
    };
    let word = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let reasons: Vec<&str> =
        status.get("reasons").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let message = format!("answers: {}, verdict {}", word("standing"), word("verdict"));
    checks.push(match word("standing").as_str() {
        "current" => fine("agent", message),
        "stale" => wrong("agent", format!("{message}: {}", reasons.join("; ")), "see its log: journalctl -u auxd"),
        _ => unknown("agent", format!("{message}: {}", reasons.join("; ")), "see its log: journalctl -u auxd"),
    });
    let gate = config.agent.as_ref().and_then(|set| set.value.alert_on.clone());
    let gate = gate.or_else(|| config.fail_on.as_ref().map(|set| set.value.clone()));
    let last = status.get("last_event").and_then(Value::as_u64).unwrap_or_default();
    checks.push(fine(
        "alerting",
        format!(
            "told: {}; {last} so far; to terminals through {}",
            gate.as_deref().unwrap_or(DEFAULT_GATE),
            runtime.join("motd").display()
        ),
    ));
}

fn ask(socket: &Path) -> Result<Value, String> {
    let stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
    let limited = stream.set_read_timeout(Some(AGENT_PATIENCE));
    limited.and_then(|()| (&stream).write_all(b"{\"method\":\"Status\"}\n")).map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).map_err(|error| error.to_string())?;
    serde_json::from_str(&line).map_err(|error| format!("its answer cannot be read: {error}"))
}
