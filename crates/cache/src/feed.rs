//! The feed that verdicts rest on: a file that somebody else keeps new, read again when it is another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aux_advisory::index::Index;
use aux_audit::{Gate, Only, Policy, audit};
use aux_core::limits::CACHE_VERDICT_SECONDS_MAX;
use aux_core::{Component, Ecosystem, Finding, TargetKind};
use aux_inventory::{Gathered, store_name};
use aux_io::file;
use aux_nix::BaseName;
use jiff::Timestamp;

/// Where the feed is, and what its file looked like when it was read last.
#[derive(Debug)]
pub(crate) struct Feed {
    path: Option<PathBuf>,
    /// `None` before it was looked at.
    seen: Mutex<Option<Seen>>,
}

/// A look at the file: what was there, and when.
#[derive(Debug, Clone)]
struct Seen {
    mark: Option<Mark>,
    at: Timestamp,
}

/// What can be seen of a file from outside: replaced by renaming, it has another number or time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    modified: Option<SystemTime>,
    length: u64,
    number: u64,
}

/// What a feed says of some store paths.
#[derive(Debug, Clone)]
pub(crate) enum Findings {
    /// Nobody can say, and why.
    Unknown(String),
    Known {
        serial: u64,
        built: Timestamp,
        by_path: BTreeMap<String, Vec<Finding>>,
    },
}

impl Feed {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, seen: Mutex::new(None) }
    }

    /// Whether verdicts may have changed since this said so last: the file is another, or an hour older.
    pub(crate) fn has_changed(&self, now: Timestamp) -> bool {
        let found = self.path.as_deref().and_then(mark);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_young = |at: Timestamp| (0..CACHE_VERDICT_SECONDS_MAX).contains(&(now.as_second() - at.as_second()));
        if seen.as_ref().is_some_and(|seen| seen.mark == found && is_young(seen.at)) {
            return false;
        }
        *seen = Some(Seen { mark: found, at: now });
        true
    }

    /// Makes the next question whether it has changed a yes.
    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Serial and the moment it was built, or what is wrong with it; `None` where none was named.
    pub(crate) fn facts(&self) -> Option<Result<(u64, Timestamp), &'static str>> {
        let path = self.path.as_ref()?;
        let mapped = file::map(path).map_err(|_| "it cannot be read");
        Some(mapped.and_then(|mapped| match Index::open(&mapped) {
            Ok(index) => Ok((index.facts().serial, index.facts().built)),
            Err(_) => Err("it cannot be used"),
        }))
    }

    /// Audits store paths by their names. A path whose name is that of no package has no findings.
    pub(crate) fn findings(&self, paths: &[&BaseName], age_days_max: u32, now: Timestamp) -> Findings {
        let Some(path) = &self.path else {
            return Findings::Unknown("the server was started without a feed (--feed)".to_owned());
        };
        // Where the file lies is not for clients.
        let unread = |what: &str, error: &dyn std::fmt::Display| {
            tracing::error!("the feed cannot be {what}: {error}");
            Findings::Unknown(format!("the feed cannot be {what}"))
        };
        let mapped = match file::map(path) {
            Ok(mapped) => mapped,
            Err(error) => return unread("read", &error),
        };
        let index = match Index::open(&mapped) {
            Ok(index) => index,
            Err(error) => return unread("used", &error),
        };
        let (serial, built) = (index.facts().serial, index.facts().built);
        let age_seconds = now.as_second().saturating_sub(built.as_second());
        if age_seconds > i64::from(age_days_max) * 86_400 {
            return Findings::Unknown(format!("the feed was built {built}, more than {age_days_max} days ago"));
        }
        let mut gathered = Gathered::default();
        gathered.recognise(TargetKind::Closure);
        paths.iter().filter_map(|base| component(base)).for_each(|component| gathered.add(component));
        let inventory = gathered.finish("paths");
        // Every condition has a gate of its own; here everything is found.
        let Ok(gate) = Gate::read("none") else { return Findings::Unknown("no gate".to_owned()) };
        let policy = Policy { only: Only::Packages, allow_incomplete: true, ..Policy::new(gate, now) };
        let report = audit(&index, std::slice::from_ref(&inventory), &policy, now);
        let mut by_path: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
        for target in report.targets {
            let damaged = target.problems.iter().find(|problem| problem.subject != inventory.name);
            if let Some(problem) = damaged {
                return Findings::Unknown(format!("{}: {}", problem.subject, problem.message));
            }
            for finding in target.findings {
                for output in finding.outputs.iter().collect::<BTreeSet<_>>() {
                    by_path.entry(output.clone()).or_default().push(finding.clone());
                }
            }
        }
        Findings::Known { serial, built, by_path }
    }
}

fn component(base: &BaseName) -> Option<Component> {
    if !store_name::names_package(base.name()) {
        return None;
    }
    let parts = store_name::split(base.name());
    Some(Component::named(Ecosystem::NIX, parts.name, parts.version, base.as_str()))
}

fn mark(path: &Path) -> Option<Mark> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Mark { modified: metadata.modified().ok(), length: metadata.len(), number: metadata.ino() })
}
