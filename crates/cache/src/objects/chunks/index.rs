//! Which chunk lies where, and of which chunks each NAR is made: beside the packs in a database of its own where one server
//! writes them, and with the other records where several do.
//!
//! It is written after the packs and before the records, each time to the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aux_io::database::{Durability, Schema};
use aux_nix::Sha256;

use crate::records::{Records, RecordsError};

const SCHEMA: Schema = Schema {
    name: "cache's index of chunks",
    application_id: 0x6175_786b, // "auxk"
    migrations: &[FIRST, PLACES],
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

/// What the other records have, so that both are asked in the same words.
const PLACES: &str = "
ALTER TABLE chunk ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk ADD COLUMN unused INTEGER;
ALTER TABLE nar ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
CREATE TABLE pack (number INTEGER PRIMARY KEY, place INTEGER NOT NULL, size INTEGER NOT NULL, leaving INTEGER) STRICT;
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

/// Where the packs are that an index is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// In the folder of one server, with an index of their own.
    Own = 0,
    /// In the folder of several servers, with the other records.
    Folder = 1,
    Bucket = 2,
}

/// The index of the packs of one place.
#[derive(Debug)]
pub(crate) struct Index {
    records: Arc<Records>,
    place: i64,
}

impl Index {
    /// The database of its own.
    pub(crate) fn open(path: &Path) -> Result<Self, RecordsError> {
        Records::open_index(path, SCHEMA).map(|records| Self { records: Arc::new(records), place: At::Own as i64 })
    }

    /// What the records say of a place.
    pub(crate) fn within(records: Arc<Records>, at: At) -> Self {
        Self { records, place: at as i64 }
    }

    /// A chunk of this content.
    pub(crate) fn find(&self, digest: &[u8; 32]) -> Result<Option<Chunk>, RecordsError> {
        self.records.chunk(self.place, digest)
    }

    /// Writes down a NAR with its new chunks, instead of one of the same content that nothing needs.
    pub(crate) fn insert(&self, nar: &NewNar<'_>) -> Result<(), RecordsError> {
        if self.records.put_chunked(self.place, nar)? {
            return Ok(());
        }
        let cause = "chunks of it were collected while it arrived; push it again".to_owned();
        Err(RecordsError::Busy { server: "the index of chunks".to_owned(), cause })
    }

    pub(crate) fn has(&self, nar_hash: Sha256) -> Result<bool, RecordsError> {
        self.records.has_chunked(self.place, nar_hash)
    }

    /// A NAR and its chunks, in order.
    pub(crate) fn nar(&self, nar_hash: Sha256) -> Result<Option<NarRow>, RecordsError> {
        self.records.chunked(self.place, nar_hash)
    }

    /// NARs with a chunk, the newest first.
    pub(crate) fn nars_with(&self, chunk: i64, limit: u32) -> Result<Vec<Sha256>, RecordsError> {
        self.records.nars_with_chunk(chunk, limit)
    }

    /// Forgets a NAR. Its chunks stay until [`Self::forget_chunks`] or [`Self::settle`].
    pub(crate) fn forget(&self, nar_hash: Sha256) -> Result<(), RecordsError> {
        self.records.forget_chunked(self.place, nar_hash)
    }

    /// Forgets chunks that no NAR has, except for those of `spared`.
    pub(crate) fn forget_chunks(&self, spared: &dyn Fn(i64) -> bool) -> Result<(), RecordsError> {
        self.records.forget_chunks(self.place, spared)
    }

    /// Every NAR, by hash.
    pub(crate) fn nars(&self) -> Result<Vec<Sha256>, RecordsError> {
        self.records.all_chunked(self.place)
    }

    /// The bytes of all NARs as they are sent, and of all packs that are written down.
    pub(crate) fn bytes(&self) -> Result<(u64, u64), RecordsError> {
        self.records.chunked_bytes(self.place)
    }

    /// For every pack where its last chunk ends, and how many bytes of it are chunks that are not about to go.
    pub(crate) fn packs(&self) -> Result<BTreeMap<u32, (u64, u64)>, RecordsError> {
        self.records.chunk_packs(self.place)
    }

    /// The chunks of a pack, in its order.
    pub(crate) fn in_pack(&self, pack: u32) -> Result<Vec<Chunk>, RecordsError> {
        self.records.chunks_in(self.place, pack)
    }

    /// Chunks that lie elsewhere now, each with the pack that it was in.
    pub(crate) fn moved(&self, chunks: &[(u32, Chunk)]) -> Result<(), RecordsError> {
        self.records.move_chunks(chunks)
    }

    /// A number for a pack that is about to be put.
    pub(crate) fn new_pack(&self, size: u64) -> Result<u32, RecordsError> {
        self.records.new_pack(self.place, size)
    }

    /// The bytes of every pack that is written down.
    pub(crate) fn written_packs(&self) -> Result<BTreeMap<u32, u64>, RecordsError> {
        self.records.packs(self.place)
    }

    /// Lets go of what nobody needed since before a moment; the packs to be removed. Seconds since 1970, both.
    pub(crate) fn settle(&self, now: i64, before: i64) -> Result<Vec<u32>, RecordsError> {
        self.records.settle_chunks(self.place, now, before)
    }

    pub(crate) fn forget_packs(&self, numbers: &[u32]) -> Result<(), RecordsError> {
        self.records.forget_packs(numbers)
    }

    /// What is wrong with the file, and rows that refer to nothing; the other records are checked by themselves.
    pub(crate) fn check(&self) -> Result<Vec<String>, RecordsError> {
        if self.place == At::Own as i64 { self.records.check() } else { Ok(Vec::new()) }
    }

    /// Changes what nothing else would.
    #[cfg(test)]
    pub(crate) fn corrupt(&self, change: &str) {
        self.records.corrupt(change);
    }
}
