//! The daemon: waits for changes, its timer and callers; runs rounds in children; tells listeners.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use aux_watch::{Report, Store};
use serde_json::Value;

use crate::settings::Settings;
use crate::watching::{self, Places, Wake};
use crate::{Args, answers, bus, memory, say, socket, worker};

/// After a round that could judge nothing, the next is tried no later than this.
const RETRY: Duration = Duration::from_hours(1);

/// After an answer the memory it took is given back, once, when it has been sent.
const QUIET: Duration = Duration::from_secs(2);

/// Runs until it is killed. A stop at any point loses nothing: everything that matters is in the database.
pub(crate) fn run(args: &Args, settings: &Settings) -> Result<(), String> {
    let settings = Arc::new(settings.clone());
    let (wake, woken) = channel();
    // Where the state cannot be opened, somebody must be told now rather than at the first round.
    let store = Store::open(&settings.state).map_err(|error| error.to_string())?;
    let places = places(&settings, &store)?;
    drop(store);
    socket::serve(&settings, &wake)?;
    for problem in watching::watch(places, wake.clone()) {
        say::warn(&problem);
    }
    let mut daemon =
        Daemon { args, settings, wake, bus: None, told: Value::Null, audit_at: Instant::now(), missed: Vec::new() };
    daemon.connect();
    daemon.told = answers::revision(&daemon.settings);
    daemon.work(&woken)
}

struct Daemon<'a> {
    args: &'a Args,
    settings: Arc<Settings>,
    wake: Sender<Wake>,
    bus: Option<bus::Served>,
    /// What listeners were told last.
    told: Value,
    /// When the next audit is due; an alert that waits may want a round before, which asks nobody for a feed.
    audit_at: Instant,
    /// What happened while a round ran, and was not about it.
    missed: Vec<Wake>,
}

impl Daemon<'_> {
    fn work(&mut self, woken: &Receiver<Wake>) -> Result<(), String> {
        let mut next = self.round(woken, false, false);
        memory::give_back();
        say::note("ready");
        let mut give_back: Option<Instant> = None;
        loop {
            let until = give_back.map_or(next, |moment| moment.min(next));
            let mut wakes = std::mem::take(&mut self.missed);
            if wakes.is_empty() {
                match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(wake) => wakes.push(wake),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Err("nothing is left to wait for".to_owned()),
                }
            }
            // A switch changes several links at once, and one round sees them all.
            wakes.extend(woken.try_iter());
            if wakes.contains(&Wake::BusGone) {
                self.bus = None;
            }
            if wakes.iter().any(|wake| *wake != Wake::BusGone) {
                give_back = Some(Instant::now() + QUIET);
            } else if give_back.is_some_and(|moment| moment <= Instant::now()) {
                give_back = None;
                memory::give_back();
            }
            let is_due = Instant::now() >= next || wakes.contains(&Wake::Changed) || wakes.contains(&Wake::Refresh);
            if is_due {
                // A changed feed is what somebody has just synced, and a changed system needs no newer one.
                let is_asked = wakes.contains(&Wake::Refresh);
                let is_offline = !is_asked && Instant::now() < self.audit_at;
                next = self.round(woken, is_asked, is_offline);
                give_back = Some(Instant::now() + QUIET);
            } else if wakes.contains(&Wake::Round) {
                self.tell();
            }
        }
    }

    /// Runs a round in a child. Listeners hear of what it found as soon as that is stored: the child may still be telling
    /// others, and a mail server may take its time.
    fn run(&mut self, woken: &Receiver<Wake>, is_forced: bool, is_offline: bool) -> Result<Report, String> {
        let (args, wake) = (self.args.clone(), self.wake.clone());
        let child = thread::spawn(move || {
            let result = worker::round(&args, is_forced, is_offline);
            // The daemon waits for it.
            wake.send(Wake::Ended).ok();
            result
        });
        loop {
            match woken.recv() {
                Ok(Wake::Round) => self.tell(),
                Ok(Wake::Ended) | Err(_) => break,
                Ok(other) => self.missed.push(other),
            }
        }
        child.join().unwrap_or_else(|_| Err("the round's own thread ended early".to_owned()))
    }

    /// Runs a round and returns when the next is due.
    fn round(&mut self, woken: &Receiver<Wake>, is_forced: bool, is_offline: bool) -> Instant {
        let every = Duration::from_secs(self.settings.every_seconds.max(60));
        let mut failure = String::new();
        let mut delivery = None;
        let wait = match self.run(woken, is_forced, is_offline) {
            Ok(report) => {
                delivery = report.next_delivery.as_deref().and_then(wait_until);
                for remark in &report.remarks {
                    say::warn(remark);
                }
                every
            }
            Err(error) => {
                say::warn(&error);
                failure = error;
                every.min(RETRY)
            }
        };
        if self.bus.is_none() {
            self.connect();
        }
        self.tell();
        if let Some(Err(error)) = self.bus.as_ref().map(|bus| bus.finished(&failure)) {
            say::warn(&format!("listeners on the bus were not told: {error}"));
        }
        let now = Instant::now();
        if !is_offline || self.audit_at <= now {
            self.audit_at = now + wait;
        }
        delivery.map_or(self.audit_at, |wait| self.audit_at.min(now + wait))
    }

    /// Listeners hear of what changed, once.
    fn tell(&mut self) {
        let now = answers::revision(&self.settings);
        if now == self.told {
            return;
        }
        let last_event = now.get("last_event").and_then(Value::as_u64).unwrap_or_default();
        self.told = now;
        if let Some(Err(error)) = self.bus.as_ref().map(|bus| bus.changed(last_event)) {
            say::warn(&format!("listeners on the bus were not told: {error}"));
        }
    }

    fn connect(&mut self) {
        if !self.settings.has_bus {
            return;
        }
        match bus::serve(&self.settings, &self.wake) {
            Ok(served) => self.bus = Some(served),
            Err(error) => say::warn(&format!("{error}; tried again with the next round")),
        }
    }
}

/// How long it is until a moment; at least a little, so that a clock that jumps cannot make the daemon spin.
fn wait_until(moment: &str) -> Option<Duration> {
    let moment: jiff::Timestamp = moment.parse().ok()?;
    let wait = moment.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default().max(Duration::from_secs(1)))
}

fn places(settings: &Settings, store: &Store) -> Result<Places, String> {
    let mut places = Places::default();
    places.round(&settings.runtime.join("round"));
    // What is not there cannot be watched, and the first sync comes later.
    settings.feed.prepare();
    places.named(&settings.feed.place());
    if settings.machine {
        places.named(&settings.read.current_system);
        let profiles = settings.read.nix_state_dir.join("profiles");
        if profiles.is_dir() {
            places.folder(&profiles);
        }
    }
    for target in settings.watched(Some(store))?.into_iter().filter_map(|watched| watched.target) {
        let path = Path::new(&target);
        if path.exists() || path.is_symlink() {
            places.named(path);
        }
        if path.is_dir() && !path.starts_with(&settings.read.store_dir) {
            places.folder(path);
        }
    }
    Ok(places)
}
