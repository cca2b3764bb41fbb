//! Which chunk lies in which pack, and of which chunks each NAR is made: the rows of `chunk`, `nar`, `part` and `pack`.
//!
//! They stand in a database of their own beside the packs of one server, or with the other records where several write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aux_io::database::{Database, Schema};
use aux_nix::Sha256;

use super::copy::unhurried;
use super::driver::{Problem, Row, Transaction, Value, values};
use super::error::RecordsError;
use super::{Records, Store, signed, unsigned};
use crate::objects::index::{Chunk, NarRow, NewNar, NewPart};

const COLUMNS: &str = "chunk.number, digest, size, pack, position, length, chunk.checksum, holes";
/// No NAR has the chunk.
const IS_UNUSED: &str = "NOT EXISTS (SELECT 1 FROM part WHERE part.chunk = chunk.number)";
/// Rows of one statement: few texts of statements, and few statements for many rows.
const ROWS_AT_ONCE: [usize; 3] = [50, 10, 1];

impl Records {
    /// Opens a database of chunks alone.
    pub(crate) fn open_index(file: &Path, schema: Schema) -> Result<Self, RecordsError> {
        let database = Database::open(file, schema)?;
        Ok(Self(Store::Embedded(std::sync::Mutex::new(database))))
    }

    /// A chunk of this content that is not about to go.
    pub(crate) fn chunk(&self, place: i64, digest: &[u8; 32]) -> Result<Option<Chunk>, RecordsError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chunk WHERE digest = ?1 AND place = ?2 AND unused IS NULL ORDER BY number DESC LIMIT 1"
        );
        self.read(|transaction| transaction.row(&sql, values![digest, place], chunk))
    }

    /// Writes down a NAR with its new chunks, instead of one of the same content that nothing needs; `false`, and nothing,
    /// where a chunk that it found here is gone.
    pub(crate) fn put_chunked(&self, place: i64, nar: &NewNar<'_>) -> Result<bool, RecordsError> {
        let holes: Vec<Vec<u8>> = nar.new.iter().map(|chunk| written(&chunk.holes)).collect();
        self.write(|transaction| {
            if !spare(transaction, nar.parts)? {
                return Ok(false);
            }
            transaction.execute("DELETE FROM nar WHERE hash = ?1 AND place = ?2", values![&nar.hash.0, place])?;
            let number: i64 = transaction.one(
                "INSERT INTO nar (place, hash, file_size, fillings, checksum) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number",
                values![place, &nar.hash.0, signed(nar.file_size), nar.fillings, &nar.checksum],
                |row| row.get(0),
            )?;
            let rows: Vec<Vec<Value<'_>>> =
                nar.new.iter().zip(&holes).map(|(chunk, holes)| chunk_values(place, chunk, holes)).collect();
            let columns = "chunk (place, digest, size, pack, position, length, checksum, holes)";
            insert(transaction, columns, &rows)?;
            let numbers = numbers(transaction, place, nar.new)?;
            let parts: Option<Vec<Vec<Value<'_>>>> = (0_i64..)
                .zip(nar.parts)
                .map(|(place, part)| {
                    let chunk = match part {
                        NewPart::Known(number) => *number,
                        NewPart::New(place) => *nar.new.get(*place).and_then(|new| numbers.get(&at(new)))?,
                    };
                    Some(vec![Value::Integer(number), Value::Integer(place), Value::Integer(chunk)])
                })
                .collect();
            let parts = parts.ok_or_else(|| Problem::Unreadable("a chunk that was just written".to_owned()))?;
            insert(transaction, "part (nar, place, chunk)", &parts)?;
            Ok(true)
        })
    }

    pub(crate) fn has_chunked(&self, place: i64, nar_hash: Sha256) -> Result<bool, RecordsError> {
        let sql = "SELECT 1 FROM nar WHERE hash = ?1 AND place = ?2";
        let found = self.read(|transaction| transaction.row(sql, values![&nar_hash.0, place], |_| Ok(())))?;
        Ok(found.is_some())
    }

    /// A NAR and its chunks, in order.
    pub(crate) fn chunked(&self, place: i64, nar_hash: Sha256) -> Result<Option<NarRow>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT number, file_size, fillings, checksum FROM nar WHERE hash = ?1 AND place = ?2";
            let found = transaction.row(sql, values![&nar_hash.0, place], |row| {
                let file_size = unsigned(row.get(1)?);
                let nar = NarRow { file_size, fillings: row.get(2)?, checksum: row.get(3)?, chunks: Vec::new() };
                Ok((row.get::<i64>(0)?, nar))
            })?;
            let Some((number, mut nar)) = found else { return Ok(None) };
            let sql = format!(
                "SELECT {COLUMNS} FROM part JOIN chunk ON chunk.number = part.chunk WHERE nar = ?1 ORDER BY part.place"
            );
            nar.chunks = transaction.rows(&sql, values![number], chunk)?;
            Ok(Some(nar))
        })
    }

    /// NARs with a chunk, the newest first.
    pub(crate) fn nars_with_chunk(&self, chunk: i64, limit: u32) -> Result<Vec<Sha256>, RecordsError> {
        let sql = "SELECT DISTINCT nar.hash, nar.number FROM part JOIN nar ON nar.number = part.nar WHERE part.chunk = ?1 \
                   ORDER BY nar.number DESC LIMIT ?2";
        self.read(|transaction| transaction.rows(sql, values![chunk, i64::from(limit)], |row| row.get(0).map(Sha256)))
    }

    /// Forgets a NAR. Its chunks stay until they are forgotten themselves.
    pub(crate) fn forget_chunked(&self, place: i64, nar_hash: Sha256) -> Result<(), RecordsError> {
        let sql = "DELETE FROM nar WHERE hash = ?1 AND place = ?2";
        self.write(|transaction| transaction.execute(sql, values![&nar_hash.0, place]).map(drop))
    }

    /// Forgets chunks that no NAR has, except for those of `spared`.
    pub(crate) fn forget_chunks(&self, place: i64, spared: &dyn Fn(i64) -> bool) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let sql = format!("SELECT number FROM chunk WHERE place = ?1 AND {IS_UNUSED}");
            let numbers: Vec<i64> = transaction.rows(&sql, values![place], |row| row.get(0))?;
            for number in numbers.into_iter().filter(|number| !spared(*number)) {
                transaction.execute("DELETE FROM chunk WHERE number = ?1", values![number])?;
            }
            Ok(())
        })
    }

    /// Every NAR, by hash.
    pub(crate) fn all_chunked(&self, place: i64) -> Result<Vec<Sha256>, RecordsError> {
        let sql = "SELECT hash FROM nar WHERE place = ?1 ORDER BY hash";
        self.read(|transaction| {
            unhurried(transaction)?;
            transaction.rows(sql, values![place], |row| row.get(0).map(Sha256))
        })
    }

    /// The bytes of all NARs as they are sent, and those of all packs that are written down.
    pub(crate) fn chunked_bytes(&self, place: i64) -> Result<(u64, u64), RecordsError> {
        let sum = |table: &str, column: &str| {
            format!("SELECT CAST(coalesce(sum({column}), 0) AS BIGINT) FROM {table} WHERE place = ?1")
        };
        self.read(|transaction| {
            let one = |sql: &str| transaction.one(sql, values![place], |row| row.get(0).map(unsigned));
            Ok((one(&sum("nar", "file_size"))?, one(&sum("pack", "size"))?))
        })
    }

    /// For every pack with chunks where its last one ends, and how many bytes of it are chunks that are not about to go.
    pub(crate) fn chunk_packs(&self, place: i64) -> Result<BTreeMap<u32, (u64, u64)>, RecordsError> {
        let sql = "SELECT pack, max(position + length), \
                   CAST(coalesce(sum(CASE WHEN unused IS NULL THEN length END), 0) AS BIGINT) \
                   FROM chunk WHERE place = ?1 GROUP BY pack";
        let rows = self.read(|transaction| {
            transaction
                .rows(sql, values![place], |row| Ok((short(row, 0)?, (unsigned(row.get(1)?), unsigned(row.get(2)?)))))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// The chunks of a pack that are not about to go, in its order.
    pub(crate) fn chunks_in(&self, place: i64, pack: u32) -> Result<Vec<Chunk>, RecordsError> {
        let sql =
            format!("SELECT {COLUMNS} FROM chunk WHERE place = ?1 AND pack = ?2 AND unused IS NULL ORDER BY position");
        self.read(|transaction| transaction.rows(&sql, values![place, pack], chunk))
    }

    /// Chunks that lie elsewhere now; those that were moved meanwhile stay where that was.
    pub(crate) fn move_chunks(&self, chunks: &[(u32, Chunk)]) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let sql = "UPDATE chunk SET pack = ?2, position = ?3 WHERE number = ?1 AND pack = ?4";
            chunks.iter().try_for_each(|(from, chunk)| {
                let position = signed(chunk.position);
                transaction.execute(sql, values![chunk.number, chunk.pack, position, *from]).map(drop)
            })
        })
    }

    /// A number for a pack of so many bytes, that no pack had before.
    pub(crate) fn new_pack(&self, place: i64, size: u64) -> Result<u32, RecordsError> {
        let sql = "INSERT INTO pack (place, size) VALUES (?1, ?2) RETURNING number";
        self.write(|transaction| transaction.one(sql, values![place, signed(size)], |row| short(row, 0)))
    }

    /// The bytes of every pack that is written down.
    pub(crate) fn packs(&self, place: i64) -> Result<BTreeMap<u32, u64>, RecordsError> {
        let sql = "SELECT number, size FROM pack WHERE place = ?1";
        let rows = self.read(|transaction| {
            transaction.rows(sql, values![place], |row| Ok((short(row, 0)?, unsigned(row.get(1)?))))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Has chunks and packs go that nobody needs: first it is written down since when, and what was so before a moment goes
    /// (seconds since 1970, both). The packs that are to be removed, to be told to [`Self::forget_packs`] then.
    pub(crate) fn settle_chunks(&self, place: i64, now: i64, before: i64) -> Result<Vec<u32>, RecordsError> {
        let is_empty = "NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.pack = pack.number)";
        self.write(|transaction| {
            unhurried(transaction)?;
            let run = |sql: String, values: &[Value<'_>]| transaction.execute(&sql, values).map(drop);
            run(
                format!("DELETE FROM chunk WHERE place = ?1 AND unused <= ?2 AND {IS_UNUSED}"),
                values![place, before],
            )?;
            let used = format!("place = ?1 AND unused IS NOT NULL AND NOT ({IS_UNUSED})");
            run(format!("UPDATE chunk SET unused = NULL WHERE {used}"), values![place])?;
            let unused = format!("place = ?1 AND unused IS NULL AND {IS_UNUSED}");
            run(format!("UPDATE chunk SET unused = ?2 WHERE {unused}"), values![place, now])?;
            let full = format!("place = ?1 AND leaving IS NOT NULL AND NOT ({is_empty})");
            run(format!("UPDATE pack SET leaving = NULL WHERE {full}"), values![place])?;
            let empty = format!("place = ?1 AND leaving IS NULL AND {is_empty}");
            run(format!("UPDATE pack SET leaving = ?2 WHERE {empty}"), values![place, now])?;
            let sql = "SELECT number FROM pack WHERE place = ?1 AND leaving <= ?2 ORDER BY number";
            transaction.rows(sql, values![place, before], |row| short(row, 0))
        })
    }

    pub(crate) fn forget_packs(&self, numbers: &[u32]) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let forget = |number: &u32| transaction.execute("DELETE FROM pack WHERE number = ?1", values![*number]);
            numbers.iter().try_for_each(|number| forget(number).map(drop))
        })
    }

    /// Forgets all that is in a place.
    pub(crate) fn forget_place(&self, place: i64) -> Result<(), RecordsError> {
        self.write(|transaction| {
            unhurried(transaction)?;
            for table in ["nar", "chunk", "pack"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE place = ?1"), values![place])?;
            }
            Ok(())
        })
    }

    /// Changes what nothing else would.
    #[cfg(test)]
    pub(crate) fn corrupt(&self, change: &str) {
        self.write(|transaction| transaction.execute(change, &[]).map(drop)).unwrap();
    }
}

/// Whether chunks that a NAR found here are there still; they stay then, also if they were about to go.
fn spare(transaction: &Transaction<'_>, parts: &[NewPart]) -> Result<bool, Problem> {
    let known: BTreeSet<i64> = parts
        .iter()
        .filter_map(|part| match part {
            NewPart::Known(number) => Some(*number),
            NewPart::New(_) => None,
        })
        .collect();
    let known: Vec<i64> = known.into_iter().collect();
    let (mut found, mut going) = (0, Vec::new());
    for numbers in batches(&known) {
        let names: Vec<String> = (1..=numbers.len()).map(|name| format!("?{name}")).collect();
        let sql = format!("SELECT number, unused FROM chunk WHERE number IN ({})", names.join(", "));
        let numbers: Vec<Value<'_>> = numbers.iter().map(|number| Value::Integer(*number)).collect();
        transaction.each(&sql, &numbers, &mut |row| {
            found += 1;
            if row.get::<Option<i64>>(1)?.is_some() {
                going.push(row.get::<i64>(0)?);
            }
            Ok(())
        })?;
    }
    for number in going {
        transaction.execute("UPDATE chunk SET unused = NULL WHERE number = ?1", values![number])?;
    }
    Ok(found == known.len())
}

/// The numbers of chunks that were just written, by where they lie.
fn numbers(transaction: &Transaction<'_>, place: i64, new: &[Chunk]) -> Result<BTreeMap<(u32, u64), i64>, Problem> {
    let mut numbers = BTreeMap::new();
    let packs: BTreeSet<u32> = new.iter().map(|chunk| chunk.pack).collect();
    for pack in packs {
        let first = new.iter().filter(|chunk| chunk.pack == pack).map(|chunk| signed(chunk.position)).min();
        let sql = "SELECT number, position FROM chunk WHERE place = ?1 AND pack = ?2 AND position >= ?3";
        transaction.each(sql, values![place, pack, first], &mut |row| {
            numbers.insert((pack, unsigned(row.get(1)?)), row.get(0)?);
            Ok(())
        })?;
    }
    Ok(numbers)
}

fn at(chunk: &Chunk) -> (u32, u64) {
    (chunk.pack, chunk.position)
}

fn insert(transaction: &Transaction<'_>, columns: &str, rows: &[Vec<Value<'_>>]) -> Result<(), Problem> {
    for rows in batches(rows) {
        let width = rows.first().map_or(0, Vec::len);
        let row = |row: usize| {
            let names: Vec<String> = (1..=width).map(|column| format!("?{}", row * width + column)).collect();
            format!("({})", names.join(", "))
        };
        let all: Vec<String> = (0..rows.len()).map(row).collect();
        let flat: Vec<Value<'_>> = rows.iter().flatten().copied().collect();
        transaction.execute(&format!("INSERT INTO {columns} VALUES {}", all.join(", ")), &flat)?;
    }
    Ok(())
}

/// All of them in pieces of few lengths.
fn batches<T>(mut all: &[T]) -> Vec<&[T]> {
    let mut batches = Vec::new();
    for length in ROWS_AT_ONCE {
        while let Some((batch, rest)) = all.split_at_checked(length).filter(|(batch, _)| !batch.is_empty()) {
            batches.push(batch);
            all = rest;
        }
    }
    batches
}

fn chunk_values<'v>(place: i64, chunk: &'v Chunk, holes: &'v [u8]) -> Vec<Value<'v>> {
    vec![
        Value::Integer(place),
        Value::Bytes(&chunk.digest),
        Value::from(chunk.size),
        Value::from(chunk.pack),
        Value::Integer(signed(chunk.position)),
        Value::from(chunk.length),
        Value::Bytes(&chunk.checksum),
        Value::Bytes(holes),
    ]
}

fn chunk(row: &Row<'_>) -> Result<Chunk, Problem> {
    Ok(Chunk {
        number: row.get(0)?,
        digest: row.get(1)?,
        size: short(row, 2)?,
        pack: short(row, 3)?,
        position: unsigned(row.get(4)?),
        length: short(row, 5)?,
        checksum: row.get(6)?,
        holes: read(&row.get::<Vec<u8>>(7)?),
    })
}

fn short(row: &Row<'_>, column: usize) -> Result<u32, Problem> {
    let number: i64 = row.get(column)?;
    u32::try_from(number).map_err(|_| Problem::Unreadable(format!("{number} where a number of 32 bits belongs")))
}

/// Places as little-endian numbers of 32 bits.
fn written(holes: &[u32]) -> Vec<u8> {
    holes.iter().flat_map(|hole| hole.to_le_bytes()).collect()
}

fn read(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
}
