//! The tables; docs/formats/cache-store.md describes them. They are written as `SQLite` reads them, in words of which each
//! has another in `PostgreSQL` (`postgres::schema`).

use aux_io::database::{Durability, Schema};

pub(crate) const SCHEMA: Schema = Schema {
    name: "cache's records",
    application_id: 0x6175_7863, // "auxc"
    migrations: &[FIRST, UPSTREAMS, LEAVING, CHUNKS, USES],
    durability: Durability::EveryCommit,
};

/// A path and all its references are rows of one cache, and a row that is referred to cannot go: what the database
/// holds is closed at every moment. Times are seconds since 1970.
const FIRST: &str = "
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE space (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    source INTEGER REFERENCES space,
    anonymous INTEGER NOT NULL,
    signs INTEGER NOT NULL,
    keys TEXT NOT NULL,
    priority INTEGER NOT NULL,
    policy TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE object (
    nar_hash BLOB PRIMARY KEY,
    nar_size INTEGER NOT NULL,
    packing TEXT NOT NULL,
    file_hash BLOB NOT NULL,
    file_size INTEGER NOT NULL,
    listing BLOB NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE upload (
    space INTEGER NOT NULL REFERENCES space,
    name TEXT NOT NULL,
    nar_hash BLOB NOT NULL REFERENCES object,
    file_hash BLOB NOT NULL,
    file_size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_object ON upload (nar_hash);

CREATE TABLE path (
    number INTEGER PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES space,
    hash BLOB NOT NULL,
    base TEXT NOT NULL,
    nar_hash BLOB NOT NULL REFERENCES object,
    nar_size INTEGER NOT NULL,
    narinfo TEXT NOT NULL,
    signature TEXT,
    pushed_at INTEGER NOT NULL,
    pushed_by TEXT NOT NULL,
    UNIQUE (space, hash)
) STRICT;
CREATE INDEX path_object ON path (nar_hash);

CREATE TABLE reference (
    path INTEGER NOT NULL REFERENCES path ON DELETE CASCADE,
    target INTEGER NOT NULL REFERENCES path,
    PRIMARY KEY (path, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_target ON reference (target);

CREATE TABLE edition (
    space INTEGER NOT NULL REFERENCES space,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    act TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    space INTEGER NOT NULL REFERENCES space,
    path INTEGER NOT NULL REFERENCES path,
    added INTEGER NOT NULL,
    removed INTEGER,
    PRIMARY KEY (space, path, added)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_path ON entry (path);

CREATE TABLE withdrawal (
    space INTEGER NOT NULL REFERENCES space,
    hash BLOB NOT NULL,
    base TEXT NOT NULL,
    reason TEXT NOT NULL,
    because TEXT,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (space, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    space INTEGER NOT NULL REFERENCES space,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    reason TEXT,
    outcome TEXT NOT NULL,
    edition INTEGER,
    policy TEXT NOT NULL,
    feed TEXT
) STRICT;

CREATE TABLE judgement (
    decision INTEGER NOT NULL REFERENCES decision,
    hash BLOB NOT NULL,
    base TEXT NOT NULL,
    admitted INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (decision, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX judgement_hash ON judgement (hash);

CREATE TABLE pin (
    space INTEGER NOT NULL REFERENCES space,
    name TEXT NOT NULL,
    path INTEGER NOT NULL REFERENCES path,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_path ON pin (path);

CREATE TABLE note (
    space INTEGER NOT NULL REFERENCES space,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (space, kind, name)
) STRICT;

CREATE TABLE token (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    space INTEGER REFERENCES space,
    rights TEXT NOT NULL,
    names TEXT,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE TABLE trail (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    act TEXT NOT NULL,
    space TEXT,
    subject TEXT,
    detail TEXT
) STRICT;
";

/// Other caches that a cache asks for what it lacks.
const UPSTREAMS: &str = "
CREATE TABLE upstream (
    number INTEGER PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES space,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    keys TEXT NOT NULL,
    priority INTEGER NOT NULL,
    names TEXT NOT NULL,
    names_not TEXT NOT NULL,
    redirects TEXT NOT NULL,
    budget_milliseconds INTEGER NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (space, name)
) STRICT;
";

/// What goes out of the bucket, under which name there, once nobody can be reading it any more.
const LEAVING: &str = "
CREATE TABLE leaving (
    name TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Which chunk lies in which pack, and of which chunks each NAR is made; `place` is 1 in the folder and 2 in the bucket. A NAR
/// keeps its chunks: a row that is referred to cannot go.
const CHUNKS: &str = "
CREATE TABLE pack (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL,
    size INTEGER NOT NULL,
    leaving INTEGER
) STRICT;

CREATE TABLE chunk (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    pack INTEGER NOT NULL,
    position INTEGER NOT NULL,
    length INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    holes BLOB NOT NULL,
    unused INTEGER
) STRICT;
CREATE INDEX chunk_digest ON chunk (digest);
CREATE INDEX chunk_pack ON chunk (pack, length);

CREATE TABLE nar (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    file_size INTEGER NOT NULL,
    fillings BLOB NOT NULL,
    checksum BLOB NOT NULL,
    UNIQUE (hash, place)
) STRICT;

CREATE TABLE part (
    nar INTEGER NOT NULL REFERENCES nar ON DELETE CASCADE,
    place INTEGER NOT NULL,
    chunk INTEGER NOT NULL REFERENCES chunk,
    PRIMARY KEY (nar, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX part_chunk ON part (chunk);
";

/// The day on which a path was asked for last, counted from 1970. A path that was not asked for since this is written down has no
/// row.
const USES: &str = "
CREATE TABLE used (
    path INTEGER NOT NULL REFERENCES path ON DELETE CASCADE,
    day INTEGER NOT NULL,
    PRIMARY KEY (path)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_day ON used (day);
";
