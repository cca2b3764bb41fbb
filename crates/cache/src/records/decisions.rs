//! Decisions: what a promotion was asked, what it knew, and what it answered of every path.

use jiff::Timestamp;

use super::driver::{Problem, Row, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Records, SpaceRow, moment};
use crate::names::PathHash;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// 0 before it is written down.
    pub number: i64,
    pub at: Timestamp,
    pub by: String,
    pub reason: Option<String>,
    /// `promoted`, `partly`, `refused` or `nothing`.
    pub outcome: String,
    pub edition: Option<i64>,
    /// BLAKE3 of the policy's text.
    pub policy: String,
    /// Which feed it rests on: serial and the moment it was built.
    pub feed: Option<String>,
    pub judgements: Vec<Judgement>,
}

/// What a decision said of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub hash: PathHash,
    pub base: String,
    pub admitted: bool,
    /// A sentence for each rule, lines of one text.
    pub evidence: String,
}

impl Judgement {
    /// The sentences of rules that did not hold.
    pub(crate) fn against(&self) -> impl Iterator<Item = &str> {
        self.evidence.lines().filter(|line| line.contains(": no: ") || line.contains(": cannot be told: "))
    }

    pub(crate) fn is_against(&self) -> bool {
        self.against().next().is_some()
    }
}

const COLUMNS: &str = "number, at, by, reason, outcome, edition, policy, feed";

impl Records {
    /// Decisions about a view after a number, oldest first, each with all it said.
    pub(crate) fn decisions(&self, view: i64, after: i64, limit: u32) -> Result<Vec<Decision>, RecordsError> {
        self.read(|transaction| {
            let sql =
                format!("SELECT {COLUMNS} FROM decision WHERE space = ?1 AND number > ?2 ORDER BY number LIMIT ?3");
            let mut found = transaction.rows(&sql, values![view, after, limit], decision)?;
            let sql = "SELECT hash, base, admitted, evidence FROM judgement WHERE decision = ?1 ORDER BY base";
            for decision in &mut found {
                decision.judgements = transaction.rows(sql, values![decision.number], judgement)?;
            }
            Ok(found)
        })
    }

    /// The newest decisions about a view, newest first, each with all it said.
    pub(crate) fn last_decisions(&self, view: i64, limit: usize) -> Result<Vec<Decision>, RecordsError> {
        let after: Option<i64> = self.read(|transaction| {
            transaction.row(
                "SELECT number FROM decision WHERE space = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2",
                values![view, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| row.get(0),
            )
        })?;
        let mut decisions = self.decisions(view, after.unwrap_or(0), u32::try_from(limit).unwrap_or(u32::MAX))?;
        decisions.reverse();
        Ok(decisions)
    }

    /// What was decided of one path in a view, newest first.
    pub(crate) fn decisions_on(&self, view: i64, hash: PathHash, limit: u32) -> Result<Vec<Decision>, RecordsError> {
        self.read(|transaction| {
            let sql = format!(
                "SELECT {COLUMNS}, hash, base, admitted, evidence FROM decision JOIN judgement ON decision = number \
                 WHERE space = ?1 AND hash = ?2 ORDER BY number DESC LIMIT ?3"
            );
            transaction.rows(&sql, values![view, &hash.0, limit], |row| {
                let judgement = Judgement {
                    hash: PathHash(row.get(8)?),
                    base: row.get(9)?,
                    admitted: row.get(10)?,
                    evidence: row.get(11)?,
                };
                Ok(Decision { judgements: vec![judgement], ..decision(row)? })
            })
        })
    }
}

/// Writes a decision down; its number.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    view: &SpaceRow,
    decision: &Decision,
    edition: Option<i64>,
    actor: &Actor,
) -> Result<i64, Problem> {
    let number = transaction.one(
        "INSERT INTO decision (space, at, by, reason, outcome, edition, policy, feed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING number",
        values![
            view.number,
            actor.now.as_second(),
            &actor.by,
            decision.reason.as_deref(),
            &decision.outcome,
            edition,
            &decision.policy,
            decision.feed.as_deref()
        ],
        |row| row.get(0),
    )?;
    let sql = "INSERT INTO judgement VALUES (?1, ?2, ?3, ?4, ?5)";
    for Judgement { hash, base, admitted, evidence } in &decision.judgements {
        transaction.execute(sql, values![number, &hash.0, base, *admitted, evidence])?;
    }
    Ok(number)
}

fn decision(row: &Row<'_>) -> Result<Decision, Problem> {
    Ok(Decision {
        number: row.get(0)?,
        at: moment(row.get(1)?),
        by: row.get(2)?,
        reason: row.get(3)?,
        outcome: row.get(4)?,
        edition: row.get(5)?,
        policy: row.get(6)?,
        feed: row.get(7)?,
        judgements: Vec::new(),
    })
}

fn judgement(row: &Row<'_>) -> Result<Judgement, Problem> {
    Ok(Judgement { hash: PathHash(row.get(0)?), base: row.get(1)?, admitted: row.get(2)?, evidence: row.get(3)? })
}
