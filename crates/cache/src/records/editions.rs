//! Editions of views: what a view held after each act, so that it can be as it was at any of them.

use jiff::Timestamp;

use super::decisions::{self, Decision};
use super::driver::{Problem, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, SpaceRow, changes, moment, trail, withdrawals};

/// One edition of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edition {
    pub number: i64,
    pub at: Timestamp,
    pub act: String,
    pub by: String,
    pub reason: Option<String>,
    pub added: u64,
    pub removed: u64,
}

/// Which edition somebody means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Number(i64),
    /// The one that stood at a moment.
    At(Timestamp),
}

/// What a change of a view came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editing {
    /// `None` where nothing had to change.
    pub edition: Option<i64>,
    pub added: u64,
    pub removed: u64,
}

/// What an edition held: entries that were added until then and not removed by then.
const HELD: &str = "space = ?1 AND added <= ?2 AND (removed IS NULL OR removed > ?2)";

const ENTER: &str = "INSERT INTO entry VALUES (?1, ?2, ?3, NULL)";

impl Records {
    /// The number of a view's newest edition, 0 before the first.
    pub(crate) fn newest_edition(&self, space: i64) -> Result<i64, RecordsError> {
        self.read(|transaction| newest(transaction, space))
    }

    /// The newest editions of a view, newest first.
    pub(crate) fn editions(&self, space: i64, limit: u32) -> Result<Vec<Edition>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT number, at, act, by, reason, \
                 (SELECT count(*) FROM entry WHERE entry.space = edition.space AND entry.added = edition.number), \
                 (SELECT count(*) FROM entry WHERE entry.space = edition.space AND entry.removed = edition.number) \
                 FROM edition WHERE space = ?1 ORDER BY number DESC LIMIT ?2";
            transaction.rows(sql, values![space, limit], |row| {
                Ok(Edition {
                    number: row.get(0)?,
                    at: moment(row.get(1)?),
                    act: row.get(2)?,
                    by: row.get(3)?,
                    reason: row.get(4)?,
                    added: super::unsigned(row.get(5)?),
                    removed: super::unsigned(row.get(6)?),
                })
            })
        })
    }

    /// Writes a decision down, and puts the paths it admits into the view, each with the server's signature: all of it
    /// or nothing. Returns the decision's number and the edition, where there is a new one.
    pub(crate) fn promote(
        &self,
        view: &SpaceRow,
        decision: &Decision,
        signatures: &[(i64, String)],
        actor: &Actor,
    ) -> Result<(i64, Option<i64>), RecordsError> {
        self.write(|transaction| {
            let edition = match signatures {
                [] => None,
                _ => Some(begin(transaction, view, ("promote", decision.reason.as_deref()), actor)?),
            };
            if let Some(edition) = edition {
                let sign = "UPDATE path SET signature = ?2 WHERE number = ?1 AND signature IS DISTINCT FROM ?2";
                for (path, signature) in signatures {
                    transaction.execute(sign, values![*path, signature])?;
                    transaction.execute(ENTER, values![view.number, *path, edition])?;
                }
                changes::write(transaction, Change::Space(view.number))?;
            }
            let number = decisions::insert(transaction, view, decision, edition, actor)?;
            let (subject, detail) = (format!("decision {number}"), decision.outcome.clone());
            trail::write(transaction, actor, ("promote", Some(&view.name)), (Some(&subject), Some(&detail)))?;
            Ok((number, edition))
        })
    }

    /// Makes a view hold again what it held at an edition; `None` where there is no such edition.
    pub(crate) fn roll_back(
        &self,
        view: &SpaceRow,
        to: To,
        (reason, is_dry): (&str, bool),
        actor: &Actor,
    ) -> Result<Option<Editing>, RecordsError> {
        self.write(|transaction| {
            let Some(wanted) = resolve(transaction, view.number, to)? else { return Ok(None) };
            let paths = |condition: &str| -> Result<Vec<i64>, Problem> {
                transaction.rows(condition, values![view.number, wanted], |row| row.get(0))
            };
            let back = paths(&format!(
                "SELECT path FROM entry WHERE {HELD} AND path NOT IN \
                 (SELECT path FROM entry WHERE space = ?1 AND removed IS NULL)"
            ))?;
            let gone = paths(&format!(
                "SELECT path FROM entry WHERE space = ?1 AND removed IS NULL AND path NOT IN \
                 (SELECT path FROM entry WHERE {HELD})"
            ))?;
            let counts = (back.len() as u64, gone.len() as u64);
            let mut editing = Editing { edition: None, added: counts.0, removed: counts.1 };
            if is_dry || counts == (0, 0) {
                return Ok(Some(editing));
            }
            let edition = begin(transaction, view, ("rollback", Some(reason)), actor)?;
            for path in back {
                transaction.execute(ENTER, values![view.number, path, edition])?;
            }
            for path in gone {
                transaction.execute(
                    "UPDATE entry SET removed = ?3 WHERE space = ?1 AND path = ?2 AND removed IS NULL",
                    values![view.number, path, edition],
                )?;
            }
            changes::write(transaction, Change::Space(view.number))?;
            withdrawals::spread(transaction, view, actor)?;
            editing.edition = Some(edition);
            let subject = format!("to edition {wanted}");
            trail::write(transaction, actor, ("rollback", Some(&view.name)), (Some(&subject), Some(reason)))?;
            Ok(Some(editing))
        })
    }

    /// Whether a view ever held a path.
    pub(crate) fn was_held(&self, view: i64, path: i64) -> Result<bool, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE space = ?1 AND path = ?2)";
            transaction.one(sql, values![view, path], |row| row.get(0))
        })
    }
}

fn newest(transaction: &Transaction<'_>, space: i64) -> Result<i64, Problem> {
    let sql = "SELECT coalesce(max(number), 0) FROM edition WHERE space = ?1";
    transaction.one(sql, values![space], |row| row.get(0))
}

/// Edition 0 is the empty view before the first act.
fn resolve(transaction: &Transaction<'_>, space: i64, to: To) -> Result<Option<i64>, Problem> {
    match to {
        To::Number(0) => Ok(Some(0)),
        To::Number(number) => {
            let sql = "SELECT number FROM edition WHERE space = ?1 AND number = ?2";
            transaction.row(sql, values![space, number], |row| row.get(0))
        }
        To::At(at) => transaction
            .one(
                "SELECT coalesce(max(number), 0) FROM edition WHERE space = ?1 AND at <= ?2",
                values![space, at.as_second()],
                |row| row.get(0),
            )
            .map(Some),
    }
}

fn begin(
    transaction: &Transaction<'_>,
    view: &SpaceRow,
    (act, reason): (&str, Option<&str>),
    actor: &Actor,
) -> Result<i64, Problem> {
    let number = newest(transaction, view.number)? + 1;
    // Another server's clock may be behind; an edition is never older than the one before it.
    let sql = "SELECT coalesce(max(at), 0) FROM edition WHERE space = ?1";
    let last: i64 = transaction.one(sql, values![view.number], |row| row.get(0))?;
    transaction.execute(
        "INSERT INTO edition VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        values![view.number, number, actor.now.as_second().max(last), act, &actor.by, reason],
    )?;
    Ok(number)
}
