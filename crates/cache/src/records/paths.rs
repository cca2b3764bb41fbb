//! Objects, uploads and the paths of caches.

use aux_nix::Sha256;

use super::driver::{Problem, Row, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, SpaceRow, changes, copy, signed, trail, unsigned};
use crate::names::{PathHash, UploadName};
use crate::packing::Packing;
use crate::receive::Received;

/// A NAR that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectRow {
    pub nar_hash: Sha256,
    pub nar_size: u64,
    pub packing: Packing,
    pub file_hash: Sha256,
    pub file_size: u64,
}

/// A NAR that was put under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    pub object: ObjectRow,
    /// Of the bytes that were sent.
    pub sent_hash: Sha256,
    pub sent_size: u64,
}

/// A path as a cache holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRow {
    pub number: i64,
    pub hash: PathHash,
    /// The store path's last part.
    pub base: String,
    pub object: ObjectRow,
    /// As it is served, without the server's own signature.
    pub narinfo: String,
    /// The server's own signature, where it gave one: `name:base64`.
    pub signature: Option<String>,
}

/// A path to commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub hash: PathHash,
    pub base: String,
    pub object: ObjectRow,
    pub narinfo: String,
    pub signature: Option<String>,
    /// Other paths it needs; never itself.
    pub references: Vec<PathHash>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    Committed(i64),
    /// Some references are not in the cache.
    Dangling(Vec<PathHash>),
    /// The path is there, with this NAR and narinfo.
    Present(PathRow),
    /// The NAR was collected meanwhile.
    NoObject,
}

const COLUMNS: &str = "path.number, path.hash, path.base, path.narinfo, path.signature, object.nar_hash, object.nar_size, \
                       object.packing, object.file_hash, object.file_size";
const SELECT: &str = "SELECT path.number, path.hash, path.base, path.narinfo, path.signature, object.nar_hash, object.nar_size, \
                      object.packing, object.file_hash, object.file_size FROM path JOIN object ON object.nar_hash = path.nar_hash";

/// Hears of a path: its number and hash, its narinfo, and the server's own signatures.
type EachNarInfo<'e> = dyn FnMut((i64, PathHash), &str, Option<&str>) + 'e;

/// Fewer rows are read at once.
const ROWS_OF_PART_MIN: i64 = 20_000;

impl Records {
    /// Remembers a NAR whose file stands in the folder, and under which name it was put.
    ///
    /// Where the NAR was there before, the file that was kept first stays, and is what is returned.
    pub(crate) fn put_upload(
        &self,
        space: &SpaceRow,
        name: &UploadName,
        received: &Received,
        actor: &Actor,
    ) -> Result<(), RecordsError> {
        let now = actor.now.as_second();
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (nar_hash) DO NOTHING",
                values![
                    &received.nar_hash.0,
                    signed(received.nar_size),
                    received.packing.compression().name(),
                    &received.kept_hash.0,
                    signed(received.kept_size),
                    received.listing.as_bytes(),
                    now
                ],
            )?;
            transaction.execute(
                "INSERT INTO upload VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (space, name) DO UPDATE SET \
                 nar_hash = excluded.nar_hash, file_hash = excluded.file_hash, file_size = excluded.file_size, at = excluded.at",
                values![
                    space.number,
                    name.as_str(),
                    &received.nar_hash.0,
                    &received.file_hash.0,
                    signed(received.file_size),
                    now
                ],
            )?;
            Ok(())
        })
    }

    /// Whether a NAR is kept, and how.
    pub(crate) fn object(&self, nar_hash: Sha256) -> Result<Option<ObjectRow>, RecordsError> {
        self.read(|transaction| find_object(transaction, nar_hash))
    }

    /// The NAR that is kept behind this one, by hash; the first of all behind none.
    pub(crate) fn object_after(&self, last: Option<Sha256>) -> Result<Option<ObjectRow>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT nar_hash, nar_size, packing, file_hash, file_size FROM object WHERE nar_hash > ?1 \
                       ORDER BY nar_hash LIMIT 1";
            let last = last.as_ref().map_or(&[][..], |last| &last.0);
            transaction.row(sql, values![last], |row| object(row, 0))
        })
    }

    /// All NARs that are kept, by hash.
    pub(crate) fn objects(&self) -> Result<Vec<ObjectRow>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT nar_hash, nar_size, packing, file_hash, file_size FROM object ORDER BY nar_hash";
            transaction.rows(sql, &[], |row| object(row, 0))
        })
    }

    /// How many NARs are kept, and the bytes of their files.
    pub(crate) fn stored(&self) -> Result<(u64, u64), RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT count(*), CAST(coalesce(sum(file_size), 0) AS BIGINT) FROM object";
            transaction.one(sql, &[], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))
        })
    }

    /// Every path that has the server's signature, in whatever cache, and its narinfo.
    pub(crate) fn signed(&self) -> Result<Vec<(i64, String)>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT number, narinfo FROM path WHERE signature IS NOT NULL";
            transaction.rows(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    /// Keeps the server's own signatures of paths.
    pub(crate) fn sign(&self, signatures: &[(i64, String)]) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let sql = "UPDATE path SET signature = ?2 WHERE number = ?1";
            for (path, signature) in signatures {
                transaction.execute(sql, values![*path, signature])?;
            }
            changes::write(transaction, Change::Spaces)
        })
    }

    /// What was put in a cache under a name.
    pub(crate) fn upload(&self, space: i64, name: &UploadName) -> Result<Option<Upload>, RecordsError> {
        self.read(|transaction| {
            transaction.row(
                "SELECT object.nar_hash, object.nar_size, packing, object.file_hash, object.file_size, upload.file_hash, \
                 upload.file_size FROM upload JOIN object USING (nar_hash) WHERE space = ?1 AND name = ?2",
                values![space, name.as_str()],
                |row| {
                    Ok(Upload {
                        object: object(row, 0)?,
                        sent_hash: Sha256(row.get(5)?),
                        sent_size: unsigned(row.get(6)?),
                    })
                },
            )
        })
    }

    /// Commits a path whose NAR is kept and whose references are there.
    pub(crate) fn commit(
        &self,
        space: &SpaceRow,
        commit: &Commit,
        actor: &Actor,
    ) -> Result<CommitOutcome, RecordsError> {
        self.write(|transaction| {
            if let Some(row) = find(transaction, space.number, commit.hash)? {
                return Ok(CommitOutcome::Present(row));
            }
            if find_object(transaction, commit.object.nar_hash)? != Some(commit.object) {
                return Ok(CommitOutcome::NoObject);
            }
            let mut targets = Vec::with_capacity(commit.references.len());
            let mut dangling = Vec::new();
            for reference in &commit.references {
                match number(transaction, space.number, *reference)? {
                    Some(target) => targets.push(target),
                    None => dangling.push(*reference),
                }
            }
            if !dangling.is_empty() {
                return Ok(CommitOutcome::Dangling(dangling));
            }
            let made = insert(transaction, space, commit, actor)?;
            for target in targets {
                transaction.execute("INSERT INTO reference VALUES (?1, ?2)", values![made, target])?;
            }
            changes::write(transaction, Change::Path { space: space.number, path: made })?;
            trail::write(transaction, actor, ("push", Some(&space.name)), (Some(&commit.base), None))?;
            Ok(CommitOutcome::Committed(made))
        })
    }

    /// Replaces what is said of a path that is there: more signatures.
    pub(crate) fn replace_narinfo(&self, space: i64, number: i64, narinfo: &str) -> Result<(), RecordsError> {
        self.write(|transaction| {
            transaction.execute("UPDATE path SET narinfo = ?2 WHERE number = ?1", values![number, narinfo])?;
            changes::write(transaction, Change::Path { space, path: number })
        })
    }

    /// By its number.
    pub(crate) fn numbered(&self, number: i64) -> Result<Option<PathRow>, RecordsError> {
        self.read(|transaction| transaction.row(&format!("{SELECT} WHERE path.number = ?1"), values![number], path))
    }

    pub(crate) fn path(&self, space: i64, hash: PathHash) -> Result<Option<PathRow>, RecordsError> {
        self.read(|transaction| find(transaction, space, hash))
    }

    /// Every path that is visible in a cache or view: of a view, what its newest edition holds. What was withdrawn
    /// there or in the view's source is left out.
    pub(crate) fn visible(&self, space: &SpaceRow) -> Result<Vec<PathRow>, RecordsError> {
        let mut paths = Vec::new();
        self.each_visible(space, &mut |path| paths.push(path))?;
        Ok(paths)
    }

    /// The same, one at a time: a cache may have a million.
    pub(crate) fn each_visible(&self, space: &SpaceRow, each: &mut dyn FnMut(PathRow)) -> Result<(), RecordsError> {
        self.read(|transaction| {
            let from = match space.source {
                None => "path WHERE path.space = ?1",
                Some(_) => "entry JOIN path ON path.number = entry.path WHERE entry.space = ?1 AND entry.removed IS NULL",
            };
            let (from, condition) = from.split_once(" WHERE ").unwrap_or((from, "1"));
            let sql = format!(
                "SELECT {COLUMNS} FROM {from} JOIN object ON object.nar_hash = path.nar_hash WHERE {condition} AND NOT EXISTS \
                 (SELECT 1 FROM withdrawal WHERE withdrawal.hash = path.hash AND withdrawal.space IN (?1, ?2))"
            );
            transaction.each(&sql, values![space.number, space.source], &mut |row| {
                each(path(row)?);
                Ok(())
            })
        })
    }

    /// Numbers between which a cache's paths lie, in so many parts that are read best at the same time.
    pub(crate) fn parts(&self, cache: i64, count: i64) -> Result<Vec<(i64, i64)>, RecordsError> {
        let sql = "SELECT coalesce(max(number), 0), count(*) FROM path WHERE space = ?1";
        let (newest, rows): (i64, i64) =
            self.read(|transaction| transaction.one(sql, values![cache], |row| Ok((row.get(0)?, row.get(1)?))))?;
        Ok(divided(newest, if rows < ROWS_OF_PART_MIN { 1 } else { count }))
    }

    /// Paths of a cache, hidden or not, behind the first number and up to the last: number, hash, narinfo and the server's
    /// own signatures. Without what is known of their NARs, which the narinfos say too, so that a million are read in a second.
    pub(crate) fn each_narinfo(
        &self,
        cache: i64,
        (first, last): (i64, i64),
        each: &mut EachNarInfo<'_>,
    ) -> Result<(), RecordsError> {
        self.read_beside(|transaction| {
            copy::unhurried(transaction)?;
            // A table is read in the order in which it stands; the index on caches would lead from page to page.
            let sql = "SELECT number, hash, narinfo, signature FROM path WHERE number > ?2 AND number <= ?3 AND space + 0 = ?1";
            transaction.each(sql, values![cache, first, last], &mut |row| {
                let own = (row.get(0)?, PathHash(row.get(1)?));
                each(own, row.text(2)?.unwrap_or_default(), row.text(3)?);
                Ok(())
            })
        })
    }

    /// The numbers of what a view's newest edition holds, hidden or not, in order.
    pub(crate) fn entries(&self, view: i64) -> Result<Vec<i64>, RecordsError> {
        let sql = "SELECT path FROM entry WHERE space = ?1 AND removed IS NULL ORDER BY path";
        self.read(|transaction| transaction.rows(sql, values![view], |row| row.get(0)))
    }

    /// Every path of a cache that is reached from some of its paths, with what each refers to.
    pub(crate) fn closure(&self, roots: &[i64]) -> Result<Vec<(PathRow, Vec<PathHash>)>, RecordsError> {
        self.read(|transaction| {
            let mut seen: std::collections::BTreeSet<i64> = roots.iter().copied().collect();
            let mut queue = roots.to_vec();
            let mut found = Vec::new();
            let by_number = format!("{SELECT} WHERE path.number = ?1");
            let references = "SELECT path.number, path.hash FROM reference JOIN path ON path.number = reference.target \
                              WHERE reference.path = ?1 ORDER BY path.base";
            while let Some(number) = queue.pop() {
                let targets: Vec<(i64, PathHash)> =
                    transaction.rows(references, values![number], |row| Ok((row.get(0)?, PathHash(row.get(1)?))))?;
                queue.extend(targets.iter().map(|(target, _)| *target).filter(|target| seen.insert(*target)));
                let hashes = targets.into_iter().map(|(_, hash)| hash).collect();
                found.push((transaction.one(&by_number, values![number], path)?, hashes));
            }
            Ok(found)
        })
    }
}

fn insert(transaction: &Transaction<'_>, space: &SpaceRow, commit: &Commit, actor: &Actor) -> Result<i64, Problem> {
    transaction.one(
        "INSERT INTO path (space, hash, base, nar_hash, nar_size, narinfo, signature, pushed_at, pushed_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING number",
        values![
            space.number,
            &commit.hash.0,
            &commit.base,
            &commit.object.nar_hash.0,
            signed(commit.object.nar_size),
            &commit.narinfo,
            commit.signature.as_deref(),
            actor.now.as_second(),
            &actor.by
        ],
        |row| row.get(0),
    )
}

pub(super) fn number(transaction: &Transaction<'_>, space: i64, hash: PathHash) -> Result<Option<i64>, Problem> {
    let sql = "SELECT number FROM path WHERE space = ?1 AND hash = ?2";
    transaction.row(sql, values![space, &hash.0], |row| row.get(0))
}

fn find(transaction: &Transaction<'_>, space: i64, hash: PathHash) -> Result<Option<PathRow>, Problem> {
    transaction.row(&format!("{SELECT} WHERE space = ?1 AND hash = ?2"), values![space, &hash.0], path)
}

fn find_object(transaction: &Transaction<'_>, nar_hash: Sha256) -> Result<Option<ObjectRow>, Problem> {
    let sql = "SELECT nar_hash, nar_size, packing, file_hash, file_size FROM object WHERE nar_hash = ?1";
    transaction.row(sql, values![&nar_hash.0], |row| object(row, 0))
}

pub(super) fn path(row: &Row<'_>) -> Result<PathRow, Problem> {
    Ok(PathRow {
        number: row.get(0)?,
        hash: PathHash(row.get(1)?),
        base: row.get(2)?,
        narinfo: row.get(3)?,
        signature: row.get(4)?,
        object: object(row, 5)?,
    })
}

fn object(row: &Row<'_>, first: usize) -> Result<ObjectRow, Problem> {
    Ok(ObjectRow {
        nar_hash: Sha256(row.get(first)?),
        nar_size: unsigned(row.get(first + 1)?),
        packing: packing(&row.get::<String>(first + 2)?)?,
        file_hash: Sha256(row.get(first + 3)?),
        file_size: unsigned(row.get(first + 4)?),
    })
}

fn packing(name: &str) -> Result<Packing, Problem> {
    Packing::parse(name).ok_or_else(|| Problem::Unreadable(format!("the packing {name}")))
}

/// Numbers up to the newest in so many parts: behind the first number of each and up to its last.
fn divided(newest: i64, count: i64) -> Vec<(i64, i64)> {
    let count = count.max(1);
    let end = |part: i64| if part == count { newest } else { newest / count * part };
    (0..count).map(|part| (end(part), end(part + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::divided;

    #[test]
    fn every_number_is_in_one_part() {
        for (newest, count) in [(0, 1), (0, 4), (3, 4), (10, 3), (1_000_003, 4), (7, 0)] {
            let mut last = 0;
            for (first, end) in divided(newest, count) {
                assert_eq!(first, last, "{newest} in {count}");
                assert!(end >= first);
                last = end;
            }
            assert_eq!(last, newest);
        }
    }
}
