//! Nix's own record of its store: `db/db.sqlite` with the tables `ValidPaths` and `Refs`.

use aux_core::limits::GRAPH_NODES_MAX;
use aux_io::sqlite::rusqlite::{Connection, Error, OptionalExtension, Statement};
use aux_io::sqlite::{SqliteError, open_read_only};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The paths a set of roots needs to run, and which needs which.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    pub(crate) paths: Vec<StorePath>,
    /// For each path, the numbers of those it refers to.
    pub(crate) references: Vec<Vec<u32>>,
    /// Roots the store does not have.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorePath {
    pub(crate) path: String,
    /// The derivation that built it, where the store remembers.
    pub(crate) deriver: Option<String>,
}

/// Why a store's database gave no answer. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}")]
    Open(SqliteError),
    #[error("{}: not readable as a Nix store database: {cause}", path.display())]
    Query { path: PathBuf, cause: Error },
    #[error("{}: a closure of more than {limit} paths (GRAPH_NODES_MAX)", path.display())]
    Nodes { path: PathBuf, limit: usize },
}

/// Whether there is a store's record at all.
pub(crate) fn exists(state_dir: &Path) -> bool {
    database(state_dir).is_file()
}

pub(crate) fn database(state_dir: &Path) -> PathBuf {
    state_dir.join("db/db.sqlite")
}

/// Walks from `roots` along the recorded references.
pub(crate) fn closure(state_dir: &Path, roots: &[String]) -> Result<Closure, StoreError> {
    let path = database(state_dir);
    let connection = open_read_only(&path).map_err(StoreError::Open)?;
    match walk(&connection, roots) {
        Ok(Some(closure)) => Ok(closure),
        Ok(None) => Err(StoreError::Nodes { path, limit: GRAPH_NODES_MAX }),
        Err(cause) => Err(StoreError::Query { path, cause }),
    }
}

/// `None` where the closure is larger than the bound.
fn walk(connection: &Connection, roots: &[String]) -> Result<Option<Closure>, Error> {
    // One snapshot for all questions: a garbage collection in between would tear the graph.
    let transaction = connection.unchecked_transaction()?;
    let mut by_path = transaction.prepare("SELECT id, deriver FROM ValidPaths WHERE path = ?1")?;
    let mut by_referrer = transaction.prepare(
        "SELECT v.id, v.path, v.deriver FROM Refs r JOIN ValidPaths v ON v.id = r.reference \
         WHERE r.referrer = ?1 ORDER BY v.path",
    )?;
    let mut walk = Walk::default();
    for root in roots {
        let found = by_path.query_row([root], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match found {
            Some((id, deriver)) => {
                walk.number(id, StorePath { path: root.clone(), deriver });
            }
            None => walk.closure.missing.push(root.clone()),
        }
    }
    let mut next = 0;
    while let Some(id) = walk.ids.get(next).copied() {
        walk.expand(id, &mut by_referrer)?;
        if walk.ids.len() > GRAPH_NODES_MAX {
            return Ok(None);
        }
        next += 1;
    }
    Ok(Some(walk.closure))
}

#[derive(Default)]
struct Walk {
    closure: Closure,
    /// The database's id of each path, in the order of the closure.
    ids: Vec<i64>,
    numbers: BTreeMap<i64, u32>,
}

impl Walk {
    fn number(&mut self, id: i64, path: StorePath) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.closure.paths.push(path);
            u32::try_from(self.ids.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn expand(&mut self, id: i64, by_referrer: &mut Statement<'_>) -> Result<(), Error> {
        let mut rows = by_referrer.query([id])?;
        let mut references = Vec::new();
        while let Some(row) = rows.next()? {
            let (reference, path): (i64, _) = (row.get(0)?, StorePath { path: row.get(1)?, deriver: row.get(2)? });
            let number = self.number(reference, path);
            // Many paths refer to themselves.
            if reference != id {
                references.push(number);
            }
        }
        self.closure.references.push(references);
        Ok(())
    }
}
