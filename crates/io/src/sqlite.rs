//! Somebody else's `SQLite` database, opened without ever writing to it.

use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use rusqlite;

/// How long a writer that holds the database is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A database that could not be opened. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error("{}: no such database", path.display())]
    Missing { path: PathBuf },
    #[error("{}: cannot be read as an SQLite database: {cause}", path.display())]
    Open { path: PathBuf, cause: rusqlite::Error },
}

/// Opens a database that a daemon may be writing to.
///
/// A live Nix database is in write-ahead mode, and a reader then needs the `-wal` and `-shm` files beside it. Where the
/// folder cannot be written (another user's, a read-only filesystem) and those files are not there, the ordinary way
/// fails; nobody can be writing then either, so the file is opened as immutable: <https://sqlite.org/wal.html>,
/// "Read-Only Databases". Where a `-wal` file with content is there but cannot be used, the newest rows stand in it and
/// not in the database, so that case stays an error rather than an old answer.
pub fn open_read_only(path: impl AsRef<Path>) -> Result<Connection, SqliteError> {
    let path = path.as_ref();
    if !path.is_file() {
        return Err(SqliteError::Missing { path: path.to_path_buf() });
    }
    match attempt(path, "mode=ro") {
        Ok(connection) => Ok(connection),
        Err(_) if !has_pending_rows(path) => {
            attempt(path, "mode=ro&immutable=1").map_err(|cause| SqliteError::Open { path: path.to_path_buf(), cause })
        }
        Err(cause) => Err(SqliteError::Open { path: path.to_path_buf(), cause }),
    }
}

/// `SQLite` looks at the file only when first asked something, so the question is part of the attempt.
fn attempt(path: &Path, parameters: &str) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

fn has_pending_rows(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// A `file:` URI; every byte with a meaning of its own in a URI is escaped (RFC 3986 section 2.1).
fn uri(path: &Path, parameters: &str) -> String {
    // A relative path that began with two slashes would name a host.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut uri = String::from("file:");
    for byte in absolute.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push('%');
            for digit in [byte >> 4, byte & 15] {
                uri.extend(char::from_digit(u32::from(digit), 16));
            }
        }
    }
    uri.push('?');
    uri.push_str(parameters);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn made(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
        connection
    }

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_live_database_is_read_with_its_newest_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db #1?.sqlite");
        let writer = made(&path);
        assert_eq!(rows(&open_read_only(&path).unwrap()), 1);
        writer.execute("INSERT INTO t VALUES (2)", []).unwrap();
        let reader = open_read_only(&path).unwrap();
        assert_eq!(rows(&reader), 2);
        assert!(reader.execute("INSERT INTO t VALUES (3)", []).is_err());
    }

    #[test]
    fn a_database_left_alone_in_write_ahead_mode_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sqlite");
        drop(made(&path));
        assert_eq!(rows(&open_read_only(&path).unwrap()), 1);
    }

    #[test]
    fn what_is_no_database_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), &[b'x'; 4_096]).unwrap();
        let error = open_read_only(&path).unwrap_err().to_string();
        assert!(error.contains("text: cannot be read as an SQLite database"), "{error}");
        assert!(matches!(open_read_only(folder.path().join("no")), Err(SqliteError::Missing { .. })));
    }
}
