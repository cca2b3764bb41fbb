//! Databases that are new, old, newer, foreign, damaged, shared and interrupted.

use super::*;
use std::sync::mpsc;
use std::thread;

const FIRST: &str = "CREATE TABLE note (text TEXT NOT NULL) STRICT";
const SECOND: &str = "ALTER TABLE note ADD COLUMN author TEXT NOT NULL DEFAULT 'nobody'";

fn schema(migrations: &'static [&'static str]) -> Schema {
    Schema { name: "notes", application_id: 0x6175_7874, migrations, durability: Durability::EveryCommit }
}

fn add(database: &mut Database, text: &str) {
    database.write(|transaction| transaction.execute("INSERT INTO note (text) VALUES (?1)", [text])).unwrap();
}

fn count(database: &mut Database) -> i64 {
    database.read(|transaction| transaction.query_row("SELECT count(*) FROM note", [], |row| row.get(0))).unwrap()
}

#[test]
fn a_new_database_is_private_and_an_old_one_keeps_its_rows_through_a_migration() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.sqlite");
    let mut database = Database::open(&path, schema(&[FIRST])).unwrap();
    add(&mut database, "one");
    for name in ["notes.sqlite", "notes.sqlite-wal"] {
        assert_eq!(fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(database);
    let mut database = Database::open(&path, schema(&[FIRST, SECOND])).unwrap();
    let author: String =
        database.read(|t| t.query_row("SELECT author FROM note WHERE text = 'one'", [], |row| row.get(0))).unwrap();
    assert_eq!(author, "nobody");
    assert_eq!(database.check().unwrap(), Vec::<String>::new());
    let synchronous: i64 = database.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    assert_eq!(synchronous, 2);
}

#[test]
fn a_newer_or_foreign_database_is_refused_and_not_a_byte_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (newer, foreign) = (folder.path().join("newer"), folder.path().join("foreign"));
    drop(Database::open(&newer, schema(&[FIRST, SECOND])).unwrap());
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = [fs::read(&newer).unwrap(), fs::read(&foreign).unwrap()];
    let error = Database::open(&newer, schema(&[FIRST])).unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("update aux, or move the file away"), "{error}");
    let error = Database::open(&foreign, schema(&[FIRST])).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is a database of something else, not the notes; move it away or name another file")
    );
    assert_eq!([fs::read(&newer).unwrap(), fs::read(&foreign).unwrap()], before);
}

#[test]
fn a_migration_that_fails_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    add(&mut Database::open(&path, schema(&[FIRST])).unwrap(), "one");
    let error = Database::open(&path, schema(&[FIRST, SECOND, "CREATE TABLE note (again)"])).unwrap_err();
    assert!(matches!(error, DatabaseError::Migration { from: 1, to: 3, .. }), "{error}");
    let mut database = Database::open(&path, schema(&[FIRST])).unwrap();
    assert_eq!(count(&mut database), 1);
}

#[test]
fn what_is_no_database_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, [b'x'; 4_096]).unwrap();
    let error = Database::open(&path, schema(&[FIRST])).unwrap_err();
    assert!(error.to_string().contains("text: the notes is damaged"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [b'x'; 4_096]);
    assert!(matches!(Database::open(folder.path(), schema(&[FIRST])), Err(DatabaseError::Create { .. })));
    let error = Database::open(folder.path().join("none/notes"), schema(&[FIRST])).unwrap_err();
    assert!(error.to_string().contains("none/notes: the notes cannot be opened"), "{error}");
}

#[test]
fn a_page_overwritten_by_somebody_is_found_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    let mut database = Database::open(&path, schema(&[FIRST])).unwrap();
    let many = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 4000) \
                INSERT INTO note SELECT 'note number ' || i FROM n";
    database.write(|transaction| transaction.execute(many, [])).unwrap();
    drop(database);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes.iter_mut().skip(middle).take(64).for_each(|byte| *byte ^= 0x5a);
    fs::write(&path, bytes).unwrap();
    let mut database = Database::open(&path, schema(&[FIRST])).unwrap();
    let found = database.check();
    assert!(!matches!(&found, Ok(problems) if problems.is_empty()), "{found:?}");
}

#[test]
fn many_at_once_make_one_database_and_lose_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut database = Database::open(&path, schema(&[FIRST, SECOND])).unwrap();
                (0..10).for_each(|_| add(&mut database, "one"));
            });
        }
    });
    assert_eq!(count(&mut Database::open(&path, schema(&[FIRST, SECOND])).unwrap()), 80);
}

#[test]
fn an_unfinished_change_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(folder.path().join("notes"), schema(&[FIRST])).unwrap();
    let failed: Result<(), _> = database.write(|transaction| {
        transaction.execute("INSERT INTO note (text) VALUES ('lost')", [])?;
        Err(rusqlite::Error::QueryReturnedNoRows)
    });
    assert!(matches!(failed, Err(DatabaseError::Query { .. })));
    assert_eq!(count(&mut database), 0);
}

#[test]
fn who_waits_too_long_is_told_that_somebody_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    let mut database = Database::open(&path, schema(&[FIRST])).unwrap();
    database.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let (held, is_held) = mpsc::channel();
    let (release, may_go) = mpsc::channel::<()>();
    let other = path.clone();
    let holder = thread::spawn(move || {
        let mut database = Database::open(&other, schema(&[FIRST])).unwrap();
        let _ended = database.write(|_| {
            held.send(()).unwrap();
            may_go.recv().unwrap();
            Ok(())
        });
    });
    is_held.recv().unwrap();
    let error = database.write(|transaction| transaction.execute("DELETE FROM note", [])).unwrap_err();
    assert!(matches!(error, DatabaseError::Busy { .. }), "{error}");
    release.send(()).unwrap();
    holder.join().unwrap();
}
