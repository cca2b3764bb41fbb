//! Which chunk lies where, and of which chunks each NAR is made: a database of its own beside the packs.
//!
//! It is written after the packs and before the records, each time to the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aux_io::database::{Database, DatabaseError, Durability, Schema};
use aux_io::sqlite::rusqlite::{self, Row, Transaction, params};
use aux_nix::Sha256;

const SCHEMA: Schema = Schema {
    name: "cache's index of chunks",
    application_id: 0x6175_786b, // "auxk"
    migrations: &[FIRST],
    durability: Durability::EveryCommit,
};

/// A NAR keeps its chunks: a row that is referred to cannot go.
const FIRST: &str = "
CREATE TABLE chunk (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    pack INTEGER NOT NULL,
    position INTEGER NOT NULL,
    length INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    holes BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_digest ON chunk (digest);
CREATE INDEX chunk_pack ON chunk (pack, length);

CREATE TABLE nar (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    file_size INTEGER NOT NULL,
    fillings BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT;

CREATE TABLE part (
    nar INTEGER NOT NULL REFERENCES nar ON DELETE CASCADE,
    place INTEGER NOT NULL,
    chunk INTEGER NOT NULL REFERENCES chunk,
    PRIMARY KEY (nar, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_chunk ON part (chunk);
";

/// A chunk in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// 0 before it is written down.
    pub number: i64,
    /// Of its content with the holes open ([`super::cut::Cut::digest`]).
    pub digest: [u8; 32],
    /// Unpacked.
    pub size: u32,
    pub pack: u32,
    pub position: u64,
    pub length: u32,
    /// BLAKE3 of the frame with zeros in its holes, as it lies in the pack.
    pub checksum: [u8; 32],
    /// Where in the frame the holes are.
    pub holes: Vec<u32>,
}

/// A NAR as its row has it.
#[derive(Debug, Clone)]
pub(crate) struct NarRow {
    pub file_size: u64,
    /// What stands in its holes, as [`super::recipe`] writes it.
    pub fillings: Vec<u8>,
    pub checksum: [u8; 32],
    pub chunks: Vec<Chunk>,
}

/// What is to be written down of a NAR.
#[derive(Debug)]
pub(crate) struct NewNar<'n> {
    pub hash: Sha256,
    pub file_size: u64,
    pub fillings: &'n [u8],
    pub checksum: [u8; 32],
    /// Chunks that were there, by number, and those that are new, in the NAR's order.
    pub parts: &'n [NewPart],
    pub new: &'n [Chunk],
}

/// A chunk of a NAR that is to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewPart {
    Known(i64),
    /// The one of this place among the new.
    New(usize),
}

#[derive(Debug)]
pub(crate) struct Index(Mutex<Database>);

const COLUMNS: &str = "chunk.number, digest, size, pack, position, length, chunk.checksum, holes";

impl Index {
    pub(crate) fn open(path: &Path) -> Result<Self, DatabaseError> {
        Database::open(path, SCHEMA).map(|database| Self(Mutex::new(database)))
    }

    /// A chunk of this content.
    pub(crate) fn find(&self, digest: &[u8; 32]) -> Result<Option<Chunk>, DatabaseError> {
        self.database().read(|transaction| {
            let mut statement = transaction
                .prepare(&format!("SELECT {COLUMNS} FROM chunk WHERE digest = ?1 ORDER BY number DESC LIMIT 1"))?;
            optional(statement.query_row([digest], chunk))
        })
    }

    /// Writes down a NAR with its new chunks; one that is there stays as it is.
    pub(crate) fn insert(&self, nar: &NewNar<'_>) -> Result<(), DatabaseError> {
        self.database().write(|transaction| {
            let made = transaction.execute(
                "INSERT INTO nar (hash, file_size, fillings, checksum) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (hash) DO NOTHING",
                params![nar.hash.0, signed(nar.file_size), nar.fillings, nar.checksum],
            )?;
            if made == 0 {
                return Ok(());
            }
            let number = transaction.last_insert_rowid();
            let mut insert = transaction.prepare(
                "INSERT INTO chunk (digest, size, pack, position, length, checksum, holes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            let mut numbers = Vec::with_capacity(nar.new.len());
            for new in nar.new {
                let holes = written(&new.holes);
                insert.execute(params![new.digest, new.size, new.pack, signed(new.position), new.length, new.checksum, holes])?;
                numbers.push(transaction.last_insert_rowid());
            }
            let mut insert = transaction.prepare("INSERT INTO part VALUES (?1, ?2, ?3)")?;
            for (place, part) in nar.parts.iter().enumerate() {
                let chunk = match part {
                    NewPart::Known(number) => Some(*number),
                    NewPart::New(place) => numbers.get(*place).copied(),
                };
                insert.execute(params![number, i64::try_from(place).unwrap_or(i64::MAX), chunk])?;
            }
            Ok(())
        })
    }

    pub(crate) fn has(&self, nar_hash: Sha256) -> Result<bool, DatabaseError> {
        self.database()
            .read(|transaction| transaction.prepare("SELECT 1 FROM nar WHERE hash = ?1")?.exists([nar_hash.0]))
    }

    /// A NAR and its chunks, in order.
    pub(crate) fn nar(&self, nar_hash: Sha256) -> Result<Option<NarRow>, DatabaseError> {
        self.database().read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT number, file_size, fillings, checksum FROM nar WHERE hash = ?1")?;
            let found = statement.query_map([nar_hash.0], |row| {
                let nar = NarRow {
                    file_size: unsigned(row, 1)?,
                    fillings: row.get(2)?,
                    checksum: row.get(3)?,
                    chunks: Vec::new(),
                };
                Ok((row.get::<_, i64>(0)?, nar))
            });
            let Some((number, mut nar)) = found?.next().transpose()? else { return Ok(None) };
            let mut statement = transaction.prepare(&format!(
                "SELECT {COLUMNS} FROM part JOIN chunk ON chunk.number = part.chunk WHERE nar = ?1 ORDER BY place"
            ))?;
            nar.chunks = statement.query_map([number], chunk)?.collect::<Result<_, _>>()?;
            Ok(Some(nar))
        })
    }

    /// Forgets a NAR. Its chunks stay until [`Self::forget_chunks`].
    pub(crate) fn forget(&self, nar_hash: Sha256) -> Result<(), DatabaseError> {
        self.database()
            .write(|transaction| transaction.execute("DELETE FROM nar WHERE hash = ?1", [nar_hash.0]).map(drop))
    }

    /// Forgets chunks that no NAR has, except for those of `spared`.
    pub(crate) fn forget_chunks(&self, spared: &dyn Fn(i64) -> bool) -> Result<u64, DatabaseError> {
        self.database().write(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT number FROM chunk WHERE NOT EXISTS (SELECT 1 FROM part WHERE part.chunk = chunk.number)",
            )?;
            let numbers = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
            let mut delete = transaction.prepare("DELETE FROM chunk WHERE number = ?1")?;
            let mut count = 0;
            for number in numbers.into_iter().filter(|number| !spared(*number)) {
                delete.execute([number])?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// Every NAR, by hash.
    pub(crate) fn nars(&self) -> Result<Vec<Sha256>, DatabaseError> {
        self.database().read(|transaction| {
            let mut statement = transaction.prepare("SELECT hash FROM nar ORDER BY hash")?;
            statement.query_map([], |row| row.get(0).map(Sha256))?.collect()
        })
    }

    /// The bytes of all NARs as they are sent.
    pub(crate) fn file_bytes(&self) -> Result<u64, DatabaseError> {
        self.database().read(|transaction| {
            transaction.query_row("SELECT coalesce(sum(file_size), 0) FROM nar", [], |row| unsigned(row, 0))
        })
    }

    /// For every pack where its last chunk ends, and how many bytes of it are chunks.
    pub(crate) fn packs(&self) -> Result<BTreeMap<u32, (u64, u64)>, DatabaseError> {
        self.database().read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT pack, max(position + length), sum(length) FROM chunk GROUP BY pack")?;
            statement.query_map([], |row| Ok((row.get(0)?, (unsigned(row, 1)?, unsigned(row, 2)?))))?.collect()
        })
    }

    /// The chunks of a pack, in its order.
    pub(crate) fn in_pack(&self, pack: u32) -> Result<Vec<Chunk>, DatabaseError> {
        self.database().read(|transaction| {
            let mut statement =
                transaction.prepare(&format!("SELECT {COLUMNS} FROM chunk WHERE pack = ?1 ORDER BY position"))?;
            statement.query_map([pack], chunk)?.collect()
        })
    }

    /// Chunks that lie elsewhere now.
    pub(crate) fn moved(&self, chunks: &[Chunk]) -> Result<(), DatabaseError> {
        self.database().write(|transaction| move_all(transaction, chunks))
    }

    /// What is wrong with the file, and rows that refer to nothing.
    pub(crate) fn check(&self) -> Result<Vec<String>, DatabaseError> {
        let mut wrong = self.database().check()?;
        let lost: i64 = self.database().read(|transaction| {
            transaction.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
        })?;
        if lost > 0 {
            wrong.push(format!("{lost} rows refer to rows that are not there"));
        }
        Ok(wrong)
    }

    /// Changes what nothing else would.
    #[cfg(test)]
    pub(crate) fn corrupt(&self, change: &str) {
        self.database().write(|transaction| transaction.execute(change, []).map(drop)).unwrap();
    }

    /// A panic in the middle undid its transaction.
    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn move_all(transaction: &Transaction<'_>, chunks: &[Chunk]) -> Result<(), rusqlite::Error> {
    let mut update = transaction.prepare("UPDATE chunk SET pack = ?2, position = ?3 WHERE number = ?1")?;
    chunks
        .iter()
        .try_for_each(|chunk| update.execute(params![chunk.number, chunk.pack, signed(chunk.position)]).map(drop))
}

fn chunk(row: &Row<'_>) -> Result<Chunk, rusqlite::Error> {
    Ok(Chunk {
        number: row.get(0)?,
        digest: row.get(1)?,
        size: row.get(2)?,
        pack: row.get(3)?,
        position: unsigned(row, 4)?,
        length: row.get(5)?,
        checksum: row.get(6)?,
        holes: read(row.get_ref(7)?.as_blob()?),
    })
}

/// No row is an answer.
fn optional<T>(found: Result<T, rusqlite::Error>) -> Result<Option<T>, rusqlite::Error> {
    match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        found => found.map(Some),
    }
}

/// `SQLite` counts in signed numbers; nothing stored here is larger.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or_default())
}

/// Places as little-endian numbers of 32 bits.
fn written(holes: &[u32]) -> Vec<u8> {
    holes.iter().flat_map(|hole| hole.to_le_bytes()).collect()
}

fn read(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
}
