//! One round: audits again what has changed, stores it, and raises what is new.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aux_advisory::index::{Details, Index, IndexError};
use aux_audit::{Gate, Policy, Report, TargetReport, audit, describe};
use aux_core::{Finding, Inventory};
use aux_inventory::ReadOptions;
use aux_io::file::{self, FileError};
use jiff::Timestamp;

use crate::store::{Attempt, Audited, LastAudit, Store, StoreError};
use crate::{Event, Watched, fingerprint};

/// What a round is asked for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The index to audit against.
    pub feed: &'a Path,
    pub systems: &'a [Watched],
    pub policy: &'a Policy,
    /// Which findings are told of.
    pub alert_on: &'a Gate,
    /// Reads a system as `aux audit` reads its target; a repository may hold several machines.
    pub read: &'a dyn Fn(&Watched) -> Vec<Inventory>,
    /// Where this machine keeps its store, to see whether something changed.
    pub options: &'a ReadOptions,
    pub now: Timestamp,
    /// Audit also what seems not to have changed.
    pub is_forced: bool,
    /// Store nothing.
    pub is_dry: bool,
}

/// Why a round judged nothing. What was known before stays.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    #[error(transparent)]
    Feed(#[from] FileError),
    #[error("{}: {cause}", path.display())]
    Index { path: PathBuf, cause: IndexError },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a round did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub systems: Vec<SystemOutcome>,
    pub events: Vec<Event>,
}

/// What a round did about one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemOutcome {
    pub name: String,
    /// `None` where nothing had changed since the last audit.
    pub audited: Option<Judged>,
}

/// The short of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: &'static str,
    pub components: usize,
    pub alarms: usize,
    pub problems: usize,
}

/// Runs a round, and notes in the store how it ended.
pub fn round(store: &mut Store, request: &Request<'_>) -> Result<Outcome, RoundError> {
    let result = run(store, request);
    if !request.is_dry {
        let failure = result.as_ref().err().map(ToString::to_string);
        store.note_attempt(&Attempt { at: request.now, failure })?;
    }
    result
}

fn run(store: &mut Store, request: &Request<'_>) -> Result<Outcome, RoundError> {
    let feed_fingerprint = fingerprint::of_file(request.feed);
    let mut outcome = Outcome::default();
    let mut opened = None;
    for watched in request.systems {
        let system_fingerprint = fingerprint::of_system(watched, request.options);
        let last = store.last_audit(&watched.name)?;
        let is_same = last.as_ref().is_some_and(|last| {
            is_current(last, watched, request)
                && last.feed_fingerprint.is_some()
                && last.feed_fingerprint == feed_fingerprint
                && last.fingerprint.is_some()
                && last.fingerprint == system_fingerprint
        });
        if is_same && !request.is_forced {
            outcome.systems.push(SystemOutcome { name: watched.name.clone(), audited: None });
            continue;
        }
        let feed = match &opened {
            Some(feed) => feed,
            None => opened.insert(Feed::map(request.feed)?),
        };
        let report = feed.audit(watched, request)?;
        let judged = keep(
            store,
            (watched, system_fingerprint, feed_fingerprint.clone()),
            &report,
            request,
            &mut outcome.events,
        )?;
        outcome.systems.push(SystemOutcome { name: watched.name.clone(), audited: judged });
    }
    Ok(outcome)
}

/// Whether the last audit still says what it would say today. Waivers and statements end with a day.
fn is_current(last: &LastAudit, watched: &Watched, request: &Request<'_>) -> bool {
    let age = request.now.as_second().saturating_sub(last.audited.as_second());
    let day = |moment: Timestamp| moment.as_second().div_euclid(86_400);
    age >= 0
        && u64::try_from(age).is_ok_and(|age| age < watched.every_seconds)
        && day(last.audited) == day(request.now)
        && last.target == watched.target
        && last.fail_on == request.policy.gate.as_str()
}

type Prints = (Option<String>, Option<String>);

fn keep(
    store: &mut Store,
    (watched, fingerprint, feed_fingerprint): (&Watched, Option<String>, Option<String>),
    report: &Report,
    request: &Request<'_>,
    events: &mut Vec<Event>,
) -> Result<Option<Judged>, StoreError> {
    // Packages are watched, so that there always is a feed.
    let (Some(target), Some(feed)) = (&united(&report.targets), &report.feed) else { return Ok(None) };
    let (fingerprint, feed_fingerprint): Prints = (fingerprint, feed_fingerprint);
    let audited = Audited {
        watched,
        report: target,
        feed,
        verdict: report.verdict,
        fail_on: &report.fail_on,
        fingerprint,
        feed_fingerprint,
        audited: request.now,
    };
    events.extend(store.record(&audited, request.alert_on, request.is_dry)?);
    Ok(Some(Judged {
        verdict: report.verdict.as_str(),
        components: target.components,
        alarms: target.findings.iter().filter(|finding| finding.is_alarm()).count(),
        problems: target.problems.len(),
    }))
}

/// The machines of one repository as one system: a finding that several have is one.
fn united(targets: &[TargetReport]) -> Option<TargetReport> {
    let (first, others) = targets.split_first()?;
    let mut all = first.clone();
    if others.is_empty() {
        return Some(all);
    }
    let key = |finding: &Finding| {
        let package = &finding.package;
        (finding.id.clone(), package.name.clone(), package.version.clone(), finding.state)
    };
    let mut seen: BTreeSet<_> = all.findings.iter().map(key).collect();
    for target in others {
        all.components += target.components;
        all.problems.extend(target.problems.iter().cloned());
        all.findings.extend(target.findings.iter().filter(|finding| seen.insert(key(finding))).cloned());
    }
    Some(all)
}

/// A feed in memory, with its details pack where one lies beside it.
struct Feed {
    path: PathBuf,
    index: file::Mapped,
    details: Option<(PathBuf, file::Mapped)>,
}

impl Feed {
    fn map(path: &Path) -> Result<Self, RoundError> {
        let index = file::map(path)?;
        let beside = path.with_extension("auxdetails");
        let details = if beside.is_file() { Some((beside.clone(), file::map(&beside)?)) } else { None };
        Ok(Self { path: path.to_path_buf(), index, details })
    }

    fn audit(&self, watched: &Watched, request: &Request<'_>) -> Result<Report, RoundError> {
        let damaged = |cause| RoundError::Index { path: self.path.clone(), cause };
        let index = Index::open(&self.index).map_err(damaged)?;
        let inventories = (request.read)(watched);
        let mut report = audit(&index, &inventories, request.policy, request.now);
        if let Some((path, bytes)) = &self.details {
            let failed = |cause| RoundError::Index { path: path.clone(), cause };
            let details = Details::open(bytes).map_err(failed)?;
            // Titles are for people; a finding is told of without one where its prose is damaged.
            describe(&mut report, &details).ok();
        }
        Ok(report)
    }
}
