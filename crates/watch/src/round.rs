//! One round: audits again what has changed, stores it, and raises what is new.

use std::path::{Path, PathBuf};

use aux_advisory::index::{Details, Index, IndexError};
use aux_audit::{Gate, Policy, Report, audit, describe};
use aux_inventory::ReadOptions;
use aux_io::file::{self, FileError};
use jiff::Timestamp;

use crate::store::{Attempt, Audited, LastAudit, Store, StoreError};
use crate::{Event, Watched, fingerprint};

/// What a round is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The index to audit against.
    pub feed: PathBuf,
    pub systems: Vec<Watched>,
    pub policy: Policy,
    /// Which findings are told of.
    pub alert_on: Gate,
    pub read: ReadOptions,
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
pub fn round(store: &mut Store, request: &Request) -> Result<Outcome, RoundError> {
    let result = run(store, request);
    if !request.is_dry {
        let failure = result.as_ref().err().map(ToString::to_string);
        store.note_attempt(&Attempt { at: request.now, failure })?;
    }
    result
}

fn run(store: &mut Store, request: &Request) -> Result<Outcome, RoundError> {
    let feed_fingerprint = fingerprint::of_file(&request.feed);
    let mut outcome = Outcome::default();
    let mut opened = None;
    for watched in &request.systems {
        let system_fingerprint = fingerprint::of_system(watched, &request.read);
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
            None => opened.insert(Feed::map(&request.feed)?),
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
fn is_current(last: &LastAudit, watched: &Watched, request: &Request) -> bool {
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
    request: &Request,
    events: &mut Vec<Event>,
) -> Result<Option<Judged>, StoreError> {
    let Some(target) = report.targets.first() else { return Ok(None) };
    let (fingerprint, feed_fingerprint): Prints = (fingerprint, feed_fingerprint);
    let audited = Audited {
        watched,
        report: target,
        feed: &report.feed,
        verdict: report.verdict,
        fail_on: &report.fail_on,
        fingerprint,
        feed_fingerprint,
        audited: request.now,
    };
    events.extend(store.record(&audited, &request.alert_on, request.is_dry)?);
    Ok(Some(Judged {
        verdict: report.verdict.as_str(),
        components: target.components,
        alarms: target.findings.iter().filter(|finding| finding.is_alarm()).count(),
        problems: target.problems.len(),
    }))
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

    fn audit(&self, watched: &Watched, request: &Request) -> Result<Report, RoundError> {
        let damaged = |cause| RoundError::Index { path: self.path.clone(), cause };
        let index = Index::open(&self.index).map_err(damaged)?;
        let inventory = match &watched.target {
            Some(target) => aux_inventory::read(target, &request.read),
            None => aux_inventory::read_machine(&request.read),
        };
        let mut report = audit(&index, &[inventory], &request.policy, request.now);
        if let Some((path, bytes)) = &self.details {
            let failed = |cause| RoundError::Index { path: path.clone(), cause };
            let details = Details::open(bytes).map_err(failed)?;
            // Titles are for people; a finding is told of without one where its prose is damaged.
            describe(&mut report, &details).ok();
        }
        Ok(report)
    }
}
