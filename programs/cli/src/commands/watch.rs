//! `aux watch`: targets audited again and again, and what is new since last time.

use std::path::{Path, PathBuf};

use aux_app::config::{self, Config};
use aux_app::exit;
use aux_audit::formats::visible;
use aux_audit::{DEFAULT_GATE, Gate, Only, Policy};
use aux_core::Inventory;
use aux_watch::state::{Belief, State};
use aux_watch::{Outcome, Report, Request, Store, StoreError, Watched, answer, round};
use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{environment, synced, waivers};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// What can be done with watched targets.
#[derive(Debug, Subcommand)]
pub(crate) enum Watch {
    /// Watch a target from now on: anything `aux audit` takes.
    Add(Add),
    /// Say what is watched, and how it stood when it was last audited.
    List(List),
    /// Audit what is due or has changed, and say what is new.
    Run(Run),
    /// Stop watching a target, and forget what was found.
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What to watch.
    #[arg(value_name = "TARGET")]
    target: String,
    /// What to call it; the target's own name otherwise.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Audit it again after so many hours, also where nothing seems to have changed.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8_760))]
    every: u32,
    /// Where the state is kept; /var/lib/aux for root, ~/.local/state/aux for others.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Where the state is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print an aux.status/1 document.
    #[arg(long)]
    json: bool,
    /// Judge age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the switch is called as in every command")]
pub(crate) struct Run {
    /// Only these; all that are watched otherwise.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The index to audit against.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Audit also what is not due and has not changed.
    #[arg(long)]
    force: bool,
    /// Which findings are news, in the words of --fail-on.
    #[arg(long, value_name = "LIST")]
    alert_on: Option<String>,
    /// Say what would be new, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where the state is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print an aux.round/1 document.
    #[arg(long)]
    json: bool,
    /// Judge expiry and age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// What it is called in `aux watch list`.
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the state is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// How old an audit may be and still be believed, seconds.
const MAX_AGE_SECONDS: u64 = 7 * 86_400;

pub(crate) fn run(watch: Watch, ui: &mut Ui) -> Result<u8, Failure> {
    match watch {
        Watch::Add(args) => add(args, ui),
        Watch::List(args) => list(&args, ui),
        Watch::Run(args) => audit_again(&args, ui),
        Watch::Remove(args) => remove(&args, ui),
    }
}

fn open(state: Option<&Path>) -> Result<Store, Failure> {
    let folder = state.map_or_else(environment::state_folder, Path::to_path_buf);
    Store::open(&folder).map_err(|error| failed(&error))
}

fn failed(error: &StoreError) -> Failure {
    let failure = Failure::new(error);
    match error {
        StoreError::Twice { .. } => failure.hint("`aux watch list` says what is watched; --name gives it another name"),
        StoreError::Full { .. } => failure.hint("`aux watch remove NAME` makes room"),
        StoreError::Folder { .. } => failure.hint("name a folder of yours: --state DIR"),
        _ => failure,
    }
}

/// The index named, configured or synced, and why the last cannot speak for the present, where it cannot.
fn feed(args: &Run, config: &Config, now: Timestamp) -> Result<(PathBuf, Option<String>), Failure> {
    let configured = || config.feed.as_ref().map(|set| set.value.clone());
    if let Some(path) = args.feed.clone().or_else(configured) {
        return Ok((path, None));
    }
    let state = synced::state(None, config);
    let current = state.current().map_err(Failure::state)?.ok_or_else(|| {
        Failure::new("no feed to audit against")
            .hint("sync one: aux feed sync URL --root ROOT.json; or name one: --feed FILE.auxdb")
    })?;
    let stale = synced::stale(&current, now, synced::max_age(None, config));
    Ok((state.index_path(&current), stale))
}

fn add(args: Add, ui: &mut Ui) -> Result<u8, Failure> {
    let path = environment::absolute(Path::new(&args.target));
    let is_reference = args.target.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    let target = match (path.exists() || path.is_symlink(), is_reference) {
        (true, _) => path.display().to_string(),
        (false, true) => args.target.clone(),
        (false, false) => {
            return Err(Failure::new(format!("{}: no such file, store path or repository", args.target))
                .hint("what is watched has to be there when it is added"));
        }
    };
    let watched = Watched {
        name: args.name.unwrap_or_else(|| target.clone()),
        target: Some(target),
        every_seconds: u64::from(args.every) * 3_600,
    };
    open(args.state.as_deref())?.add(&watched, Timestamp::now()).map_err(|error| failed(&error))?;
    ui.remark(&format!("{} is watched; `aux watch run` audits it", watched.name));
    Ok(exit::DONE)
}

fn list(args: &List, ui: &mut Ui) -> Result<u8, Failure> {
    let store = open(args.state.as_deref())?;
    let watched = store.watched().map_err(|error| failed(&error))?;
    let belief = Belief { max_age_seconds: MAX_AGE_SECONDS, feed_signed: None, now: environment::now(args.as_of)? };
    let state = State::read(&store, &watched, belief).map_err(|error| failed(&error))?;
    if args.json {
        let text = serde_json::to_string_pretty(&answer::status(&state)).map_err(Failure::new)?;
        ui.answer(&format!("{text}\n"))?;
        return Ok(exit::DONE);
    }
    let mut lines = Vec::new();
    for (watched, known) in watched.iter().zip(&state.systems) {
        let how = match &known.last {
            Some(last) => {
                format!("{}, {} ({} components)", last.verdict, known.standing.as_str(), last.components)
            }
            None => "never audited".to_owned(),
        };
        lines.push(format!("{}: {how}, every {} h", watched.name, watched.every_seconds / 3_600));
        if let Some(target) = watched.target.as_ref().filter(|target| **target != watched.name) {
            lines.push(format!("  is {target}"));
        }
    }
    if lines.is_empty() {
        lines.push("nothing is watched; `aux watch add TARGET` begins".to_owned());
    }
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}

fn remove(args: &Remove, ui: &mut Ui) -> Result<u8, Failure> {
    if open(args.state.as_deref())?.remove(&args.name).map_err(|error| failed(&error))? {
        ui.remark(&format!("{} is watched no more", args.name));
        return Ok(exit::DONE);
    }
    Err(Failure::new(format!("`{}` is not watched", args.name)).hint("`aux watch list` says what is"))
}

fn audit_again(args: &Run, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let mut store = open(args.state.as_deref())?;
    let systems = chosen(&store, &args.names)?;
    let now = environment::now(args.as_of)?;
    let (feed, stale_feed) = feed(args, &config, now)?;
    let policy = Policy { stale_feed, ..policy(&config, now)? };
    let alert_on = gate(args.alert_on.as_deref().unwrap_or(policy.gate.as_str()))?;
    let options = environment::read_options();
    let flakes = environment::flakes(&options, true, false);
    let bar = ui.progress("auditing");
    bar.set_length(systems.len() as u64);
    let read = |watched: &Watched| -> Vec<Inventory> {
        bar.inc(1);
        match &watched.target {
            Some(target) => flakes.read(target, ui).unwrap_or_else(|| vec![aux_inventory::read(target, &options)]),
            None => vec![aux_inventory::read_machine(&options)],
        }
    };
    let request = Request {
        feed: &feed,
        systems: &systems,
        policy: &policy,
        alert_on: &alert_on,
        read: &read,
        options: &options,
        now,
        is_forced: args.force,
        is_dry: args.dry_run,
    };
    let outcome = round(&mut store, &request);
    bar.finish_and_clear();
    let outcome = outcome.map_err(Failure::new)?;
    let code = code(&store, &systems, &outcome)?;
    let report = Report::new(now, args.dry_run, Ok(outcome), Vec::new());
    if args.json {
        let text = serde_json::to_string_pretty(&report).map_err(Failure::new)?;
        ui.answer(&format!("{text}\n"))?;
    } else {
        ui.answer_lines(&lines(&report))?;
    }
    Ok(code)
}

fn chosen(store: &Store, names: &[String]) -> Result<Vec<Watched>, Failure> {
    let mut systems = store.watched().map_err(|error| failed(&error))?;
    if systems.is_empty() {
        return Err(Failure::new("nothing is watched").hint("`aux watch add TARGET` begins"));
    }
    if let Some(unknown) = names.iter().find(|name| !systems.iter().any(|system| system.name == **name)) {
        return Err(Failure::new(format!("`{unknown}` is not watched")).hint("`aux watch list` says what is"));
    }
    systems.retain(|system| names.is_empty() || names.contains(&system.name));
    Ok(systems)
}

fn gate(words: &str) -> Result<Gate, Failure> {
    Gate::read(words).map_err(|error| Failure::new(error).hint("for example: class:critical,severity:high+fixable"))
}

fn policy(config: &Config, now: Timestamp) -> Result<Policy, Failure> {
    let gate = gate(config.fail_on.as_ref().map_or(DEFAULT_GATE, |set| set.value.as_str()))?;
    let waivers = waivers::read(config.waivers.iter().flat_map(|set| &set.value))?;
    let runtime_only = config.runtime_only.as_ref().is_some_and(|set| set.value);
    let gate_file = config.fail_on.as_ref().map(|set| set.file.display().to_string());
    // Alerts are about packages; what a configuration lacks is asked for, not announced.
    Ok(Policy { gate_file, waivers, runtime_only, only: Only::Packages, ..Policy::new(gate, now) })
}

/// As of an audit of all of them: what was not audited again counts as it did the last time.
fn code(store: &Store, systems: &[Watched], outcome: &Outcome) -> Result<u8, Failure> {
    let mut code = exit::DONE;
    for system in systems {
        let now = outcome.systems.iter().find(|done| done.name == system.name).and_then(|done| done.audited.as_ref());
        let last = store.last_audit(&system.name).map_err(|error| failed(&error))?;
        let verdict = now.map(|judged| judged.verdict.to_owned()).or_else(|| last.map(|last| last.verdict));
        code = code.max(match verdict.as_deref() {
            Some("pass") => exit::DONE,
            Some("fail") => exit::NO,
            _ => exit::UNKNOWN,
        });
    }
    Ok(code)
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for system in &report.systems {
        let name = visible(&system.name);
        lines.push(match (&system.verdict, system.components, system.alarms, system.problems) {
            (Some(verdict), Some(components), Some(alarms), Some(problems)) => {
                let unread = if problems > 0 {
                    format!(", {} could not be read", counted(problems, "part", "parts"))
                } else {
                    String::new()
                };
                let (components, alarms) =
                    (counted(components, "component", "components"), counted(alarms, "alarm", "alarms"));
                format!("{name}: {verdict}, {components}, {alarms}{unread}")
            }
            _ => format!("{name}: not due, and nothing has changed"),
        });
        for event in report.events.iter().filter(|event| event.system == system.name) {
            lines.push(format!(
                "  {}: {} {} {}",
                event.event.replace('_', " "),
                event.advisory,
                event.package,
                event.version
            ));
        }
    }
    lines
}
