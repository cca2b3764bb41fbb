//! One report written down together with what it changes, in one transaction.

use aux_audit::{FeedFacts, Gate, TargetReport, Verdict};
use aux_io::sqlite::rusqlite::{self, Transaction, params};
use jiff::Timestamp;

use super::last::{Note, moment};
use super::{Store, StoreError};
use crate::changes::{Memory, Remembered, changes};
use crate::{Event, EventKind, Known, Watched};

/// A finished audit of one system.
#[derive(Debug, Clone)]
pub struct Audited<'a> {
    pub watched: &'a Watched,
    pub report: &'a TargetReport,
    pub feed: &'a FeedFacts,
    pub verdict: Verdict,
    /// The words of the gate the verdict was made with.
    pub fail_on: &'a str,
    pub fingerprint: Option<String>,
    pub feed_fingerprint: Option<String>,
    pub audited: Timestamp,
}

impl Store {
    /// Stores an audit and raises what is new since the one before. A dry run says what it would raise.
    pub fn record(&mut self, audited: &Audited<'_>, alert_on: &Gate, is_dry: bool) -> Result<Vec<Event>, StoreError> {
        let documents = documents(audited.report).map_err(|cause| self.unreadable(cause))?;
        // Written in one: what was told must not change between reading it and adding to it.
        self.write(|transaction| {
            let system = audited.watched.name.as_str();
            let before = memory(transaction, system)?;
            let mut after = before.clone();
            let events = changes(&mut after, system, audited.report, alert_on, audited.audited);
            if !is_dry {
                write_memory(transaction, system, &before, &after)?;
                write_report(transaction, audited, &documents)?;
                for event in &events {
                    write_event(transaction, event)?;
                }
            }
            Ok(events)
        })
    }
}

/// Findings and problems as they are stored.
struct Documents {
    findings: Vec<String>,
    problems: String,
}

fn documents(report: &TargetReport) -> Result<Documents, serde_json::Error> {
    let problems: Vec<Note> = report
        .problems
        .iter()
        .map(|problem| Note { subject: problem.subject.clone(), message: problem.message.clone() })
        .collect();
    let findings = report.findings.iter().map(|finding| serde_json::to_string(&Known::of(finding)));
    Ok(Documents { findings: findings.collect::<Result<_, _>>()?, problems: serde_json::to_string(&problems)? })
}

fn memory(transaction: &Transaction<'_>, system: &str) -> Result<Memory, rusqlite::Error> {
    let mut memory = Memory::default();
    let mut statement = transaction
        .prepare("SELECT advisory, package, was_fixable, was_critical, last_seen FROM subject WHERE system = ?1")?;
    let mut rows = statement.query([system])?;
    while let Some(row) = rows.next()? {
        let remembered = Remembered {
            was_fixable: row.get(2)?,
            was_critical: row.get(3)?,
            last_seen: moment(row, 4)?,
            told: std::collections::BTreeSet::new(),
        };
        memory.subjects.insert((row.get(0)?, row.get(1)?), remembered);
    }
    let mut statement = transaction.prepare("SELECT advisory, package, event FROM told WHERE system = ?1")?;
    let mut rows = statement.query([system])?;
    while let Some(row) = rows.next()? {
        let (key, word) = ((row.get(0)?, row.get(1)?), row.get::<_, String>(2)?);
        if let (Some(remembered), Ok(kind)) = (memory.subjects.get_mut(&key), word.parse::<EventKind>()) {
            remembered.told.insert(kind);
        }
    }
    Ok(memory)
}

/// Writes what differs.
fn write_memory(
    transaction: &Transaction<'_>,
    system: &str,
    before: &Memory,
    after: &Memory,
) -> Result<(), rusqlite::Error> {
    for (advisory, package) in before.subjects.keys().filter(|key| !after.subjects.contains_key(*key)) {
        for table in ["subject", "told"] {
            let text = format!("DELETE FROM {table} WHERE system = ?1 AND advisory = ?2 AND package = ?3");
            transaction.execute(&text, params![system, advisory, package])?;
        }
    }
    let mut subjects = transaction.prepare("INSERT OR REPLACE INTO subject VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut told = transaction.prepare("INSERT OR IGNORE INTO told VALUES (?1, ?2, ?3, ?4)")?;
    for ((advisory, package), remembered) in &after.subjects {
        let old = before.subjects.get(&(advisory.clone(), package.clone()));
        if old == Some(remembered) {
            continue;
        }
        let Remembered { was_fixable, was_critical, last_seen, .. } = remembered;
        subjects.execute(params![system, advisory, package, was_fixable, was_critical, last_seen.as_second()])?;
        for kind in remembered.told.iter().filter(|kind| old.is_none_or(|old| !old.told.contains(kind))) {
            told.execute(params![system, advisory, package, kind.as_str()])?;
        }
    }
    Ok(())
}

fn write_report(
    transaction: &Transaction<'_>,
    audited: &Audited<'_>,
    documents: &Documents,
) -> Result<(), rusqlite::Error> {
    let Audited { watched, report, feed, .. } = audited;
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    transaction.execute(
        "INSERT OR REPLACE INTO system VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            watched.name,
            watched.target,
            report.kind.as_str(),
            audited.fingerprint,
            audited.audited.as_second(),
            audited.feed_fingerprint,
            i64::try_from(feed.serial).unwrap_or(i64::MAX),
            feed.built.as_second(),
            whole(feed.advisories),
            audited.verdict.as_str(),
            audited.fail_on,
            whole(report.components),
            documents.problems,
        ],
    )?;
    transaction.execute("DELETE FROM finding WHERE system = ?1", [&watched.name])?;
    let mut insert = transaction.prepare("INSERT INTO finding VALUES (?1, ?2, ?3)")?;
    for (position, document) in documents.findings.iter().enumerate() {
        insert.execute(params![watched.name, whole(position), document])?;
    }
    Ok(())
}

fn write_event(transaction: &Transaction<'_>, event: &Event) -> Result<(), rusqlite::Error> {
    let covers: Vec<&str> = event.covers.iter().map(|kind| kind.as_str()).collect();
    // Strings and numbers alone: it always has a JSON form.
    let document = serde_json::to_string(&event.finding).unwrap_or_default();
    transaction.execute(
        "INSERT INTO event (system, advisory, package, event, covers, document, raised_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            event.subject.system,
            event.subject.advisory,
            event.subject.package,
            event.kind.as_str(),
            covers.join(" "),
            document,
            event.raised.as_second(),
        ],
    )?;
    Ok(())
}
