//! Collection: paths that nobody needs any more, and NARs that no path has.

use aux_io::database::DatabaseError;
use aux_io::sqlite::rusqlite::{self, Transaction, params};
use aux_nix::Sha256;
use jiff::Timestamp;

use super::{Actor, Records, trail, unsigned};

/// What may go.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Paths pushed and NARs put after this stay.
    pub before: Timestamp,
    pub is_dry: bool,
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

/// Whoever is needed: pinned, in any edition of a view, or young, and all that those refer to.
const MARK: &str = "
CREATE TEMP TABLE IF NOT EXISTS needed (number INTEGER PRIMARY KEY);
DELETE FROM needed;
";
const MARK_FROM: &str = "
WITH RECURSIVE live (number) AS (
    SELECT path FROM pin
    UNION SELECT path FROM entry
    UNION SELECT number FROM path WHERE pushed_at > ?1
    UNION SELECT reference.target FROM live JOIN reference ON reference.path = live.number
)
INSERT INTO needed SELECT number FROM live";

impl Records {
    /// Removes what nobody needs, paths first and then the NARs that no path and no young upload has.
    ///
    /// A reference is a row that forbids its target to go, so even a wrong mark could not break a closure.
    pub(crate) fn collect(&self, terms: Terms, actor: &Actor) -> Result<Collected, DatabaseError> {
        let before = terms.before.as_second();
        self.write(|transaction| {
            transaction.execute_batch(MARK)?;
            transaction.execute(MARK_FROM, [before])?;
            let mut collected = counted(transaction)?;
            if !terms.is_dry {
                // References of what goes are removed first, all of them, so that order within it does not matter.
                transaction.execute("DELETE FROM reference WHERE path NOT IN (SELECT number FROM needed)", [])?;
                transaction.execute("DELETE FROM path WHERE number NOT IN (SELECT number FROM needed)", [])?;
            }
            let unneeded = "created <= ?1 AND nar_hash NOT IN (SELECT nar_hash FROM path WHERE number IN (SELECT number FROM needed)) \
                            AND nar_hash NOT IN (SELECT nar_hash FROM upload WHERE at > ?1)";
            let mut statement =
                transaction.prepare(&format!("SELECT nar_hash, file_size FROM object WHERE {unneeded}"))?;
            let rows = statement.query_map([before], |row| Ok((Sha256(row.get(0)?), unsigned(row.get(1)?))))?;
            for row in rows {
                let (hash, size): (Sha256, u64) = row?;
                collected.objects.push(hash);
                collected.stored_bytes = collected.stored_bytes.saturating_add(size);
            }
            if !terms.is_dry {
                let gone = format!("nar_hash IN (SELECT nar_hash FROM object WHERE {unneeded})");
                transaction.execute(&format!("DELETE FROM upload WHERE at <= ?1 AND {gone}"), [before])?;
                transaction.execute(&format!("DELETE FROM object WHERE {unneeded}"), [before])?;
                let detail = format!("{} paths, {} NARs", collected.paths, collected.objects.len());
                trail::write(transaction, actor, ("gc", None), (None, Some(&detail)))?;
            }
            transaction.execute("DELETE FROM needed", [])?;
            Ok(collected)
        })
    }
}

fn counted(transaction: &Transaction<'_>) -> Result<Collected, rusqlite::Error> {
    let (paths, nar_bytes) = transaction.query_row(
        "SELECT count(*), coalesce(sum(nar_size), 0) FROM path WHERE number NOT IN (SELECT number FROM needed)",
        [],
        |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))),
    )?;
    let kept = transaction.query_row("SELECT count(*) FROM needed", [], |row| row.get(0))?;
    let mut statement = transaction
        .prepare("SELECT base FROM path WHERE number NOT IN (SELECT number FROM needed) ORDER BY base LIMIT ?1")?;
    let sample = statement.query_map(params![SAMPLE_MAX], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Collected { paths, nar_bytes, kept: unsigned(kept), sample, ..Collected::default() })
}
