//! Withdrawals: paths that are hidden, each with its reason, and what needs them hidden along with them.

use std::collections::BTreeMap;

use aux_io::database::DatabaseError;
use aux_io::sqlite::rusqlite::{self, Row, Transaction, params};
use jiff::Timestamp;

use super::{Actor, Records, SpaceRow, moment, optional, trail};
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
    SELECT ?1
    UNION
    SELECT reference.path FROM dependent JOIN reference ON reference.target = dependent.number
)
SELECT path.hash, path.base FROM dependent JOIN path USING (number)
WHERE number <> ?1 AND (?3 IS NULL OR EXISTS (
    SELECT 1 FROM entry WHERE entry.space = ?2 AND entry.path = number AND entry.removed IS NULL
)) AND NOT EXISTS (SELECT 1 FROM withdrawal WHERE withdrawal.space = ?2 AND withdrawal.hash = path.hash)
ORDER BY path.base";

impl Records {
    /// Why paths of a cache or view are hidden: by a withdrawal of its own, or of the view's source.
    pub(crate) fn withdrawn(&self, space: &SpaceRow) -> Result<BTreeMap<PathHash, String>, DatabaseError> {
        self.read(|transaction| {
            let mut statement = transaction
                .prepare("SELECT hash, reason FROM withdrawal WHERE space IN (?1, ?2) ORDER BY space = ?1")?;
            statement
                .query_map(params![space.number, space.source], |row| Ok((PathHash(row.get(0)?), row.get(1)?)))?
                .collect()
        })
    }

    /// The withdrawal of a path, by the space itself or by its source.
    pub(crate) fn withdrawal(&self, space: &SpaceRow, hash: PathHash) -> Result<Option<Withdrawal>, DatabaseError> {
        self.read(|transaction| {
            optional(transaction.query_row(
                "SELECT hash, base, reason, because, at, by FROM withdrawal WHERE space IN (?1, ?2) AND hash = ?3 \
                 ORDER BY space = ?1 DESC LIMIT 1",
                params![space.number, space.source, hash.0],
                withdrawal,
            ))
        })
    }

    /// What would be hidden along with a path.
    pub(crate) fn dependents(&self, space: &SpaceRow, path: i64) -> Result<Vec<(PathHash, String)>, DatabaseError> {
        self.read(|transaction| dependents(transaction, space, path))
    }

    /// Hides a path and what needs it. `path` is its number, hash and last part. Returns what was hidden along with it.
    pub(crate) fn withdraw(
        &self,
        space: &SpaceRow,
        (number, hash, base): (i64, PathHash, &str),
        reason: &str,
        actor: &Actor,
    ) -> Result<Vec<(PathHash, String)>, DatabaseError> {
        self.write(|transaction| {
            let also = dependents(transaction, space, number)?;
            let mut statement = transaction.prepare(
                "INSERT INTO withdrawal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (space, hash) DO UPDATE SET \
                 reason = excluded.reason, because = excluded.because, at = excluded.at, by = excluded.by",
            )?;
            let mut hide = |hash: PathHash, base: &str, because: Option<&str>| {
                let at = actor.now.as_second();
                statement.execute(params![space.number, hash.0, base, reason, because, at, actor.by])
            };
            hide(hash, base, None)?;
            for (dependent, name) in &also {
                hide(*dependent, name, Some(base))?;
            }
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
    ) -> Result<Option<Vec<String>>, DatabaseError> {
        self.write(|transaction| {
            let own = params![space.number, hash.0];
            if transaction.execute("DELETE FROM withdrawal WHERE space = ?1 AND hash = ?2", own)? == 0 {
                return Ok(None);
            }
            let mut statement =
                transaction.prepare("DELETE FROM withdrawal WHERE space = ?1 AND because = ?2 RETURNING base")?;
            let mut also: Vec<String> =
                statement.query_map(params![space.number, base], |row| row.get(0))?.collect::<Result<_, _>>()?;
            also.sort();
            trail::write(transaction, actor, ("restore", Some(&space.name)), (Some(base), Some(reason)))?;
            Ok(Some(also))
        })
    }
}

/// Hides also what needs a hidden path and became part of the view after that was hidden: an edition gone back to.
pub(super) fn spread(transaction: &Transaction<'_>, view: &SpaceRow, actor: &Actor) -> Result<(), rusqlite::Error> {
    let mut named = transaction.prepare(
        "SELECT path.number, path.base, withdrawal.reason FROM withdrawal JOIN path ON path.space = ?2 AND \
         path.hash = withdrawal.hash WHERE withdrawal.space = ?1 AND withdrawal.because IS NULL",
    )?;
    let named: Vec<(i64, String, String)> = named
        .query_map(params![view.number, view.source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (number, base, reason) in named {
        for (hash, dependent) in dependents(transaction, view, number)? {
            transaction.execute(
                "INSERT INTO withdrawal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![view.number, hash.0, dependent, reason, base, actor.now.as_second(), actor.by],
            )?;
        }
    }
    Ok(())
}

fn dependents(
    transaction: &Transaction<'_>,
    space: &SpaceRow,
    path: i64,
) -> Result<Vec<(PathHash, String)>, rusqlite::Error> {
    let mut statement = transaction.prepare(DEPENDENTS)?;
    statement
        .query_map(params![path, space.number, space.source], |row| Ok((PathHash(row.get(0)?), row.get(1)?)))?
        .collect()
}

fn withdrawal(row: &Row<'_>) -> Result<Withdrawal, rusqlite::Error> {
    Ok(Withdrawal {
        hash: PathHash(row.get(0)?),
        base: row.get(1)?,
        reason: row.get(2)?,
        because: row.get(3)?,
        at: moment(row.get(4)?),
        by: row.get(5)?,
    })
}
