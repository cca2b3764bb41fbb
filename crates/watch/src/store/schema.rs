//! The tables, one migration a version; docs/formats/watch.md says what they hold.

use aux_io::database::{Durability, Schema};

/// An event is only told once it is on the disk, so every commit waits for it.
pub(super) const SCHEMA: Schema = Schema {
    name: "watch database",
    application_id: APPLICATION_ID,
    migrations: MIGRATIONS,
    durability: Durability::EveryCommit,
};

/// `auxw` in ASCII.
const APPLICATION_ID: i32 = 0x6175_7877;

/// Each brings the database from the version before to its own number, counted from 1.
const MIGRATIONS: &[&str] = &["
CREATE TABLE watched (
    name TEXT PRIMARY KEY, target TEXT NOT NULL, every_seconds INTEGER NOT NULL, added_at INTEGER NOT NULL
) STRICT;
CREATE TABLE system (
    name TEXT PRIMARY KEY, target TEXT, kind TEXT NOT NULL, fingerprint TEXT, audited_at INTEGER NOT NULL,
    feed_fingerprint TEXT, feed_serial INTEGER NOT NULL, feed_built INTEGER NOT NULL, advisories INTEGER NOT NULL,
    verdict TEXT NOT NULL, fail_on TEXT NOT NULL, components INTEGER NOT NULL, problems TEXT NOT NULL
) STRICT;
CREATE TABLE finding (
    system TEXT NOT NULL, position INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (system, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE subject (
    system TEXT NOT NULL, advisory TEXT NOT NULL, package TEXT NOT NULL,
    was_fixable INTEGER NOT NULL, was_critical INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    PRIMARY KEY (system, advisory, package)
) STRICT, WITHOUT ROWID;
CREATE TABLE told (
    system TEXT NOT NULL, advisory TEXT NOT NULL, package TEXT NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (system, advisory, package, event)
) STRICT, WITHOUT ROWID;
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, system TEXT NOT NULL, advisory TEXT NOT NULL, package TEXT NOT NULL,
    event TEXT NOT NULL, covers TEXT NOT NULL, document TEXT NOT NULL, raised_at INTEGER NOT NULL,
    handed_over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX event_waiting ON event (number) WHERE handed_over = 0;
CREATE TABLE attempt (
    only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL, failure TEXT
) STRICT;
"];
