//! One round from beginning to end: audit what changed, store, hand events over, write what others read.

use aux_io::file;
use aux_watch::state::State;
use aux_watch::{Outcome, Report, Request, Store, Watched, metrics, motd, round};
use jiff::Timestamp;

use crate::settings::Settings;
use crate::{Args, say, telling};

/// Runs a round and says what it did.
pub(crate) fn run(args: &Args, settings: &Settings) -> Result<(), String> {
    let report = round_of(args, settings)?;
    if args.json {
        let text = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        say::answer(&format!("{text}\n"))?;
    } else {
        say::answer(&text(&report))?;
    }
    report.failure.map_or(Ok(()), Err)
}

fn round_of(args: &Args, settings: &Settings) -> Result<Report, String> {
    let now = Timestamp::now();
    let mut store = Store::open(&settings.state).map_err(|error| error.to_string())?;
    let watched = settings.watched(Some(&store))?;
    let mut remarks = Vec::new();
    if !args.dry_run {
        let names: Vec<&str> = watched.iter().map(|system| system.name.as_str()).collect();
        store.keep_only(&names).map_err(|error| error.to_string())?;
    }
    if !args.offline && !args.dry_run {
        // What cannot be synced today is audited against what is here, for as long as that may be believed.
        remarks.extend(settings.feed.sync(now).err());
    }
    let result = match settings.feed.index() {
        Ok(feed) => {
            let request = Request {
                feed: &feed,
                systems: &watched,
                policy: &settings.policy,
                alert_on: &settings.alert_on,
                read: &|watched| vec![read(watched, settings)],
                options: &settings.read,
                now,
                is_forced: args.force,
                is_dry: args.dry_run,
            };
            round(&mut store, &request).map_err(|error| error.to_string())
        }
        Err(reason) => no_feed(&mut store, args, now, reason),
    };
    let mut next_delivery = None;
    if !args.dry_run {
        publish(settings, &store, &watched, now, &mut remarks)?;
        next_delivery = telling::tell(&mut store, settings, &mut remarks).map(|moment| moment.to_string());
    }
    Ok(Report { next_delivery, ..Report::new(now, args.dry_run, result, remarks) })
}

fn read(watched: &Watched, settings: &Settings) -> aux_core::Inventory {
    match &watched.target {
        Some(target) => aux_inventory::read(target, &settings.read),
        None => aux_inventory::read_machine(&settings.read),
    }
}

fn no_feed(store: &mut Store, args: &Args, at: Timestamp, reason: String) -> Result<Outcome, String> {
    if !args.dry_run {
        let attempt = aux_watch::Attempt { at, failure: Some(reason.clone()) };
        store.note_attempt(&attempt).map_err(|error| error.to_string())?;
    }
    Err(reason)
}

/// Writes what hooks and collectors read. A folder that cannot be written is a remark: the round itself is safe.
fn publish(
    settings: &Settings,
    store: &Store,
    watched: &[Watched],
    now: Timestamp,
    remarks: &mut Vec<String>,
) -> Result<(), String> {
    let state = State::read(store, watched, settings.belief(now)).map_err(|error| error.to_string())?;
    let line = motd::line(&state, Some(store)).map_err(|error| error.to_string())?;
    let written = std::fs::create_dir_all(&settings.runtime)
        .map_err(|error| format!("{}: {error}", settings.runtime.display()))
        .and_then(|()| replace(&settings.runtime.join("motd"), &line));
    remarks.extend(written.err());
    if let Some(path) = &settings.metrics_file {
        let text = metrics::render(&state, Some(store)).map_err(|error| error.to_string())?;
        remarks.extend(replace(path, &text).err());
    }
    // The daemon watches this file: whoever ran the round, its listeners hear of it.
    remarks.extend(replace(&settings.runtime.join("round"), &format!("{now}\n")).err());
    Ok(())
}

fn replace(path: &std::path::Path, text: &str) -> Result<(), String> {
    file::replace(path, text.as_bytes()).map_err(|error| error.to_string())
}

fn text(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for system in &report.systems {
        let line = match (&system.verdict, system.components, system.alarms) {
            (Some(verdict), Some(components), Some(alarms)) => {
                format!("{verdict}, {components} components, {alarms} alarms")
            }
            _ => "nothing changed since the last audit".to_owned(),
        };
        let _ = writeln!(text, "{}: {line}", aux_audit::formats::visible(&system.name));
    }
    let verb = if report.dry_run { "would tell" } else { "tells" };
    for event in &report.events {
        let line = format!("{} {} {} ({})", event.event, event.advisory, event.package, event.version);
        let _ = writeln!(text, "  {verb}: {}", aux_audit::formats::visible(&line));
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "  {}", aux_audit::formats::visible(remark));
    }
    text
}
