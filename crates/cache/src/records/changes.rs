//! Changes that other servers have to hear of, written in the same transaction as the act.

use aux_core::limits::CACHE_CHANGES_KEPT;

use super::Records;
use super::driver::{Problem, Transaction, values};
use super::error::RecordsError;

/// What another server has to read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Tokens,
    /// The upstreams of all caches.
    Upstreams,
    /// Every cache and view.
    Spaces,
    /// One cache or view, by its number, and with a cache its views.
    Space(i64),
    /// One path of a cache, by their numbers.
    Path {
        space: i64,
        path: i64,
    },
}

/// What happened since somebody looked last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The newest change there is.
    pub number: i64,
    /// What other servers changed, oldest first; `None` where not all of it is known any more.
    pub since: Option<Vec<Change>>,
}

impl Records {
    /// What other servers changed after a number; `None` where no other server can.
    pub(crate) fn changes(&self, after: i64) -> Result<Option<Changes>, RecordsError> {
        let Some(postgres) = self.shared() else { return Ok(None) };
        let own = postgres.mark();
        self.read(|transaction| {
            let ends = "SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM change";
            let (oldest, number): (i64, i64) = transaction.one(ends, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if number == after {
                return Ok(Some(Changes { number, since: Some(Vec::new()) }));
            }
            // Numbers have holes, where acts were taken back; that something is missing shows at the old end alone.
            if number < after || oldest > after.saturating_add(1) {
                return Ok(Some(Changes { number, since: None }));
            }
            let since = transaction.rows(
                "SELECT kind, space, path FROM change WHERE number > ?1 AND server <> ?2 ORDER BY number",
                values![after, &own],
                |row| {
                    let kind: String = row.get(0)?;
                    match (kind.as_str(), row.get(1)?, row.get(2)?) {
                        ("tokens", _, _) => Ok(Change::Tokens),
                        ("upstreams", _, _) => Ok(Change::Upstreams),
                        ("space", Some(space), _) => Ok(Change::Space(space)),
                        ("path", Some(space), Some(path)) => Ok(Change::Path { space, path }),
                        // What a newer aux says is read as widely as possible.
                        _ => Ok(Change::Spaces),
                    }
                },
            )?;
            Ok(Some(Changes { number, since: Some(since) }))
        })
    }
}

/// Writes a change down, and announces it; it is heard when the transaction is committed.
pub(super) fn write(transaction: &Transaction<'_>, change: Change) -> Result<(), Problem> {
    let Transaction::Shared(asked) = transaction else { return Ok(()) };
    let mark = asked.borrow().mark().to_owned();
    let (kind, space, path) = match change {
        Change::Tokens => ("tokens", None, None),
        Change::Upstreams => ("upstreams", None, None),
        Change::Spaces => ("spaces", None, None),
        Change::Space(space) => ("space", Some(space), None),
        Change::Path { space, path } => ("path", Some(space), Some(path)),
    };
    let number: i64 = transaction.one(
        "INSERT INTO change (server, kind, space, path) VALUES (?1, ?2, ?3, ?4) RETURNING number",
        values![&mark, kind, space, path],
        |row| row.get(0),
    )?;
    if number % 1_000 == 0 {
        transaction.execute("DELETE FROM change WHERE number <= ?1", values![number - CACHE_CHANGES_KEPT])?;
    }
    transaction.batch("NOTIFY aux_cache_change")
}
