//! What Nix records of each path of a closure: hash, size, references, signatures. What a cache wants to know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aux_core::limits::GRAPH_NODES_MAX;
use aux_io::sqlite::open_read_only;
use aux_io::sqlite::rusqlite::{Connection, Error, OptionalExtension, Row};

use crate::store_database::{StoreError, database};

/// One path as the store's database has it; nothing in it was checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreObject {
    /// Whole.
    pub path: String,
    /// As `sha256:` and hexadecimal.
    pub nar_hash: String,
    /// Bytes; 0 where the store never learned it.
    pub nar_size: u64,
    /// Whole store paths, sorted; itself may be among them.
    pub references: Vec<String>,
    pub deriver: Option<String>,
    /// As in a narinfo.
    pub signatures: Vec<String>,
    pub content_address: Option<String>,
}

/// Why a closure could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreObjectsError {
    #[error("{0}")]
    Store(String),
    #[error("{path} is no valid path of this store")]
    Missing { path: String },
}

/// The paths of `roots` and, where wanted, everything they need: what others refer to comes before them.
pub fn store_objects(
    state_dir: &Path,
    roots: &[String],
    is_closure: bool,
) -> Result<Vec<StoreObject>, StoreObjectsError> {
    let path = database(state_dir);
    let failed = |error: StoreError| StoreObjectsError::Store(error.to_string());
    let connection = open_read_only(&path).map_err(|error| failed(StoreError::Open(error)))?;
    let walked = Walk { is_closure, ..Walk::default() }.run(&connection, roots);
    match walked.map_err(|cause| failed(StoreError::Query { path: path.clone(), cause }))? {
        Walked::Objects(objects) => Ok(objects),
        Walked::Missing(path) => Err(StoreObjectsError::Missing { path }),
        Walked::TooMany => Err(failed(StoreError::Nodes { path, limit: GRAPH_NODES_MAX })),
    }
}

/// The store path that something lies in, links followed: `result`, `/nix/store/…-hello/bin/hello`.
pub fn store_path_of(path: &Path, store_dir: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    // The store itself may lie behind a link.
    let store = store_dir.canonicalize().ok()?;
    let below = real.strip_prefix(&store).ok()?;
    let base: PathBuf = below.components().take(1).collect();
    if base.as_os_str().is_empty() { None } else { Some(store_dir.join(base).to_str()?.to_owned()) }
}

enum Walked {
    Objects(Vec<StoreObject>),
    Missing(String),
    TooMany,
}

#[derive(Default)]
struct Walk {
    is_closure: bool,
    objects: Vec<StoreObject>,
    seen: BTreeSet<String>,
}

/// A path whose references are being visited.
struct Open {
    object: StoreObject,
    next: usize,
}

const OBJECT: &str = "SELECT id, path, hash, narSize, deriver, sigs, ca FROM ValidPaths WHERE path = ?1";
const REFERENCES: &str =
    "SELECT v.path FROM Refs r JOIN ValidPaths v ON v.id = r.reference WHERE r.referrer = ?1 ORDER BY v.path";

impl Walk {
    /// Depth first without recursion, so that a path comes after what it needs. Only itself can a path need in a circle.
    fn run(mut self, connection: &Connection, roots: &[String]) -> Result<Walked, Error> {
        // One snapshot for all questions: a garbage collection in between would tear the graph.
        let transaction = connection.unchecked_transaction()?;
        for root in roots {
            if !self.seen.insert(root.clone()) {
                continue;
            }
            let Some(object) = find(&transaction, root)? else { return Ok(Walked::Missing(root.clone())) };
            let mut stack = vec![Open { object, next: 0 }];
            while let Some(mut open) = stack.pop() {
                let next = open.object.references.get(open.next).filter(|_| self.is_closure).cloned();
                let Some(reference) = next else {
                    self.objects.push(open.object);
                    continue;
                };
                open.next += 1;
                stack.push(open);
                if self.seen.insert(reference.clone()) {
                    let Some(object) = find(&transaction, &reference)? else { return Ok(Walked::Missing(reference)) };
                    stack.push(Open { object, next: 0 });
                }
                if self.seen.len() > GRAPH_NODES_MAX {
                    return Ok(Walked::TooMany);
                }
            }
        }
        Ok(Walked::Objects(self.objects))
    }
}

fn find(connection: &Connection, path: &str) -> Result<Option<StoreObject>, Error> {
    let mut by_path = connection.prepare(OBJECT)?;
    let found = by_path.query_row([path], |row| Ok((row.get::<_, i64>(0)?, read(row)?))).optional()?;
    let Some((id, mut object)) = found else { return Ok(None) };
    let mut references = connection.prepare(REFERENCES)?;
    object.references = references.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(object))
}

fn read(row: &Row<'_>) -> Result<StoreObject, Error> {
    let text = |index: usize| row.get(index).map(|text: Option<String>| text.filter(|text| !text.is_empty()));
    let size: Option<i64> = row.get(3)?;
    let signatures: Option<String> = text(5)?;
    Ok(StoreObject {
        path: row.get(1)?,
        nar_hash: row.get(2)?,
        nar_size: size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        references: Vec::new(),
        deriver: text(4)?,
        signatures: signatures.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect(),
        content_address: text(6)?,
    })
}
