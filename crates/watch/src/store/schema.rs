//! The tables, one migration a version; docs/formats/watch.md says what they hold.

use std::path::Path;

use aux_io::sqlite::rusqlite::Connection;

use super::StoreError;

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

pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |cause| StoreError::Database { path: path.to_path_buf(), cause };
    let version = || connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = version().map_err(failed)?;
    if found == known {
        return Ok(());
    }
    // Two programs may open a new database at the same time: the second waits here, and then finds it made.
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let result = (|| {
        let found = version().map_err(failed)?;
        if found > known {
            return Err(StoreError::Version { path: path.to_path_buf(), found, known });
        }
        for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
            connection.execute_batch(migration).map_err(failed)?;
        }
        connection.pragma_update(None, "user_version", known).map_err(failed)
    })();
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(failed)?;
    result
}
