//! Collection: paths that nobody needs any more, and NARs that no path has.

use aux_nix::Sha256;
use jiff::Timestamp;

use super::driver::{Problem, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, changes, trail, unsigned, uses};

/// What may go.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Paths pushed and NARs put after this stay.
    pub before: Timestamp,
    /// Paths that were pushed or used since then stay as well, and all do where uses were not written down by then.
    pub unused_since: Option<Timestamp>,
    /// What was used after `before` stays as if it had been pushed then.
    pub by_use: bool,
    pub is_dry: bool,
}

impl Terms {
    /// What was pushed or put before a moment goes, whether it was used or not.
    pub fn older_than(before: Timestamp, is_dry: bool) -> Self {
        Self { before, unused_since: None, by_use: false, is_dry }
    }

    /// Whether it makes a difference what was used.
    pub fn asks_uses(&self) -> bool {
        self.unused_since.is_some() || self.by_use
    }

    /// Paths pushed after the first of these and used from the second on stay (seconds since 1970).
    fn bounds(&self, transaction: &Transaction<'_>) -> Result<(i64, i64), Problem> {
        let unused_since = self.unused_since.map(Timestamp::as_second);
        if let Some(since) = unused_since
            && !uses::are_known(transaction, since)?
        {
            return Ok((i64::MIN, i64::MIN));
        }
        let pushed = self.before.as_second().min(unused_since.unwrap_or(i64::MAX));
        let used = if self.by_use { pushed } else { unused_since.unwrap_or(i64::MAX) };
        Ok((pushed, used))
    }
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    pub paths: u64,
    pub nar_bytes: u64,
    /// The files of these are to be removed.
    pub objects: Vec<Sha256>,
    pub stored_bytes: u64,
    /// Paths that stay.
    pub kept: u64,
    /// Last parts of some of the paths.
    pub sample: Vec<String>,
}

/// Last parts that are named in an answer.
const SAMPLE_MAX: u32 = 20;

/// Whoever is needed: pinned, in any edition of a view, young, or used of late, and all that those refer to.
const MARK: &str = "
CREATE TEMP TABLE IF NOT EXISTS needed (number BIGINT PRIMARY KEY);
DELETE FROM needed;
";
const MARK_FROM: &str = "
WITH RECURSIVE live (number) AS (
    SELECT path FROM pin
    UNION SELECT path FROM entry
    UNION SELECT number FROM path WHERE pushed_at > ?1
    UNION SELECT path FROM used WHERE day * 86400 >= ?2
    UNION SELECT reference.target FROM live JOIN reference ON reference.path = live.number
)
INSERT INTO needed SELECT number FROM live";
/// Paths that are not marked.
const GOES: &str = "NOT EXISTS (SELECT 1 FROM needed WHERE needed.number = path.number)";
/// NARs that no marked path and no young upload has.
const UNNEEDED: &str = "created <= ?1 \
    AND NOT EXISTS (SELECT 1 FROM path JOIN needed ON needed.number = path.number WHERE path.nar_hash = object.nar_hash) \
    AND NOT EXISTS (SELECT 1 FROM upload WHERE upload.nar_hash = object.nar_hash AND at > ?1)";

impl Records {
    /// Removes what nobody needs, paths first and then the NARs that no path and no young upload has.
    ///
    /// A reference is a row that forbids its target to go, so even a wrong mark could not break a closure.
    pub(crate) fn collect(&self, terms: Terms, actor: &Actor) -> Result<Collected, RecordsError> {
        let before = terms.before.as_second();
        self.write(|transaction| {
            transaction.batch(MARK)?;
            if transaction.is_shared() {
                transaction.batch("SET LOCAL statement_timeout = 0")?;
            }
            let (pushed, used) = terms.bounds(transaction)?;
            transaction.execute(MARK_FROM, values![pushed, used])?;
            if transaction.is_shared() {
                transaction.batch("ANALYZE needed")?;
            }
            let mut collected = counted(transaction)?;
            if !terms.is_dry {
                // References of what goes are removed first, all of them, so that order within it does not matter.
                transaction.execute("DELETE FROM reference WHERE NOT EXISTS (SELECT 1 FROM needed WHERE needed.number = reference.path)", &[])?;
                transaction.execute(&format!("DELETE FROM path WHERE {GOES}"), &[])?;
            }
            let sql = format!("SELECT nar_hash, file_size FROM object WHERE {UNNEEDED}");
            transaction.each(&sql, values![before], &mut |row| {
                collected.objects.push(Sha256(row.get(0)?));
                collected.stored_bytes = collected.stored_bytes.saturating_add(unsigned(row.get(1)?));
                Ok(())
            })?;
            if !terms.is_dry {
                let gone = format!("nar_hash IN (SELECT nar_hash FROM object WHERE {UNNEEDED})");
                transaction.execute(&format!("DELETE FROM upload WHERE at <= ?1 AND {gone}"), values![before])?;
                transaction.execute(&format!("DELETE FROM object WHERE {UNNEEDED}"), values![before])?;
                changes::write(transaction, Change::Spaces)?;
                let detail = format!("{} paths, {} NARs", collected.paths, collected.objects.len());
                trail::write(transaction, actor, ("gc", None), (None, Some(&detail)))?;
            }
            transaction.execute("DELETE FROM needed", &[])?;
            Ok(collected)
        })
    }
}

fn counted(transaction: &Transaction<'_>) -> Result<Collected, Problem> {
    let sql = format!("SELECT count(*), CAST(coalesce(sum(nar_size), 0) AS BIGINT) FROM path WHERE {GOES}");
    let (paths, nar_bytes) = transaction.one(&sql, &[], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
    let kept = transaction.one("SELECT count(*) FROM needed", &[], |row| row.get(0))?;
    let sql = format!("SELECT base FROM path WHERE {GOES} ORDER BY base LIMIT ?1");
    let sample = transaction.rows(&sql, values![SAMPLE_MAX], |row| row.get(0))?;
    Ok(Collected { paths, nar_bytes, kept: unsigned(kept), sample, ..Collected::default() })
}
