//! Withdrawals: paths that are hidden, each with its reason, and what needs them hidden along with them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::driver::{Problem, Row, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, SpaceRow, changes, moment, trail};
use crate::names::PathHash;

/// One hidden path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    pub hash: PathHash,
    pub base: String,
    pub reason: String,
    /// The path that it was hidden with; `None` for the one that was named.
    pub because: Option<String>,
    pub at: Timestamp,
    pub by: String,
}

/// Paths of the space that need a path, found by following references backwards; of a view, those of its newest edition.
const DEPENDENTS: &str = "
WITH RECURSIVE dependent (number) AS (
    SELECT CAST(?1 AS BIGINT)
    UNION
    SELECT reference.path FROM dependent JOIN reference ON reference.target = dependent.number
)
SELECT path.hash, path.base FROM dependent JOIN path USING (number)
WHERE number <> ?1 AND (CAST(?3 AS BIGINT) IS NULL OR EXISTS (
    SELECT 1 FROM entry WHERE entry.space = ?2 AND entry.path = number AND entry.removed IS NULL
)) AND NOT EXISTS (SELECT 1 FROM withdrawal WHERE withdrawal.space = ?2 AND withdrawal.hash = path.hash)
ORDER BY path.base";

impl Records {
    /// Why paths of a cache or view are hidden: by a withdrawal of its own, or of the view's source.
    pub(crate) fn withdrawn(&self, space: &SpaceRow) -> Result<BTreeMap<PathHash, String>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT hash, reason FROM withdrawal WHERE space IN (?1, ?2) ORDER BY space = ?1";
            let rows = transaction
                .rows(sql, values![space.number, space.source], |row| Ok((PathHash(row.get(0)?), row.get(1)?)))?;
            Ok(rows.into_iter().collect())
        })
    }

    /// The withdrawal of a path, by the space itself or by its source.
    pub(crate) fn withdrawal(&self, space: &SpaceRow, hash: PathHash) -> Result<Option<Withdrawal>, RecordsError> {
        self.read(|transaction| {
            transaction.row(
                "SELECT hash, base, reason, because, at, by FROM withdrawal WHERE space IN (?1, ?2) AND hash = ?3 \
                 ORDER BY space = ?1 DESC LIMIT 1",
                values![space.number, space.source, &hash.0],
                withdrawal,
            )
        })
    }

    /// What would be hidden along with a path.
    pub(crate) fn dependents(&self, space: &SpaceRow, path: i64) -> Result<Vec<(PathHash, String)>, RecordsError> {
        self.read(|transaction| dependents(transaction, space, path))
    }

    /// Hides a path and what needs it. `path` is its number, hash and last part. Returns what was hidden along with it.
    pub(crate) fn withdraw(
        &self,
        space: &SpaceRow,
        (number, hash, base): (i64, PathHash, &str),
        reason: &str,
        actor: &Actor,
    ) -> Result<Vec<(PathHash, String)>, RecordsError> {
        self.write(|transaction| {
            let also = dependents(transaction, space, number)?;
            let sql = "INSERT INTO withdrawal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (space, hash) DO UPDATE SET \
                       reason = excluded.reason, because = excluded.because, at = excluded.at, by = excluded.by";
            let hide = |hash: PathHash, base: &str, because: Option<&str>| {
                let at = actor.now.as_second();
                transaction.execute(sql, values![space.number, &hash.0, base, reason, because, at, &actor.by])
            };
            hide(hash, base, None)?;
            for (dependent, name) in &also {
                hide(*dependent, name, Some(base))?;
            }
            changes::write(transaction, Change::Space(space.number))?;
            trail::write(transaction, actor, ("withdraw", Some(&space.name)), (Some(base), Some(reason)))?;
            Ok(also)
        })
    }

    /// Shows a path again, and what was hidden along with it. Returns the latter; `None` where it was not hidden here.
    pub(crate) fn restore(
        &self,
        space: &SpaceRow,
        (hash, base): (PathHash, &str),
        reason: &str,
        actor: &Actor,
    ) -> Result<Option<Vec<String>>, RecordsError> {
        self.write(|transaction| {
            let own = values![space.number, &hash.0];
            if transaction.execute("DELETE FROM withdrawal WHERE space = ?1 AND hash = ?2", own)? == 0 {
                return Ok(None);
            }
            let sql = "DELETE FROM withdrawal WHERE space = ?1 AND because = ?2 RETURNING base";
            let mut also: Vec<String> = transaction.rows(sql, values![space.number, base], |row| row.get(0))?;
            also.sort();
            changes::write(transaction, Change::Space(space.number))?;
            trail::write(transaction, actor, ("restore", Some(&space.name)), (Some(base), Some(reason)))?;
            Ok(Some(also))
        })
    }
}

/// Hides also what needs a hidden path and became part of the view after that was hidden: an edition gone back to.
pub(super) fn spread(transaction: &Transaction<'_>, view: &SpaceRow, actor: &Actor) -> Result<(), Problem> {
    let sql = "SELECT path.number, path.base, withdrawal.reason FROM withdrawal JOIN path ON path.space = ?2 AND \
               path.hash = withdrawal.hash WHERE withdrawal.space = ?1 AND withdrawal.because IS NULL";
    let named: Vec<(i64, String, String)> =
        transaction.rows(sql, values![view.number, view.source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (number, base, reason) in named {
        for (hash, dependent) in dependents(transaction, view, number)? {
            transaction.execute(
                "INSERT INTO withdrawal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                values![view.number, &hash.0, &dependent, &reason, &base, actor.now.as_second(), &actor.by],
            )?;
        }
    }
    Ok(())
}

fn dependents(transaction: &Transaction<'_>, space: &SpaceRow, path: i64) -> Result<Vec<(PathHash, String)>, Problem> {
    let values = values![path, space.number, space.source];
    transaction.rows(DEPENDENTS, values, |row| Ok((PathHash(row.get(0)?), row.get(1)?)))
}

fn withdrawal(row: &Row<'_>) -> Result<Withdrawal, Problem> {
    Ok(Withdrawal {
        hash: PathHash(row.get(0)?),
        base: row.get(1)?,
        reason: row.get(2)?,
        because: row.get(3)?,
        at: moment(row.get(4)?),
        by: row.get(5)?,
    })
}
