//! The queue's tables; docs/formats/alert-queue.md explains them.

use aux_io::database::{Durability, Schema};

/// `auxq`: the queue's mark in the file.
const APPLICATION_ID: i32 = 0x6175_7871;

pub(super) const SCHEMA: Schema = Schema {
    name: "alert queue",
    application_id: APPLICATION_ID,
    migrations: &[FIRST, PLACES],
    durability: Durability::EveryCommit,
};

const FIRST: &str = "
    CREATE TABLE event (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        key         TEXT NOT NULL UNIQUE,
        subject     TEXT NOT NULL,
        id          TEXT NOT NULL UNIQUE,
        document    TEXT NOT NULL,
        accepted_at INTEGER NOT NULL,
        is_spread   INTEGER NOT NULL DEFAULT 0 CHECK (is_spread IN (0, 1))
    ) STRICT;
    CREATE INDEX event_subject ON event (subject, number);
    CREATE INDEX event_unspread ON event (number) WHERE is_spread = 0;
    CREATE TABLE delivery (
        event      INTEGER NOT NULL REFERENCES event (number) ON DELETE CASCADE,
        channel    TEXT NOT NULL,
        state      TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
        attempts   INTEGER NOT NULL DEFAULT 0,
        next_at    INTEGER NOT NULL,
        settled_at INTEGER,
        error      TEXT,
        receipt    TEXT,
        PRIMARY KEY (event, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX delivery_waiting ON delivery (channel, next_at) WHERE state = 'waiting';
";

/// How far sources of numbered events were read.
const PLACES: &str = "
    CREATE TABLE place (
        source TEXT PRIMARY KEY,
        number INTEGER NOT NULL,
        mark   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";
