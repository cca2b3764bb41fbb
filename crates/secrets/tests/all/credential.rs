//! Credentials over a real socket: a unit gets its own, and nobody else gets anything.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use aux_secrets::credential::{Event, Refusal, Server};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};

use crate::fleet::{read, rotate, source, with_files};

/// Asks as systemd does: from an abstract address, or from none.
fn ask(path: &Path, name: Option<&[u8]>) -> UnixStream {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    if let Some(name) = name {
        bind(&socket, &SocketAddrUnix::new_abstract_name(name).unwrap()).unwrap();
    }
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    UnixStream::from(socket)
}

fn answer(path: &Path, name: Option<&[u8]>) -> Vec<u8> {
    let mut value = Vec::new();
    ask(path, name).read_to_end(&mut value).unwrap();
    value
}

fn serving(fleet: &Path, socket: &Path) -> Receiver<Event> {
    let mut server = Server::new(source(fleet)).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    let (sender, receiver) = channel();
    // It serves until the test's process ends.
    thread::spawn(move || server.run(&listener, &mut |event| drop(sender.send(event))));
    receiver
}

/// Abstract names are the whole machine's, so each test run has its own.
fn name(number: u8, rest: &str) -> Vec<u8> {
    format!("{:x}{number:x}/unit/{rest}", std::process::id()).into_bytes()
}

#[test]
fn a_unit_gets_its_own_credential_and_nobody_else_anything() {
    let folder = tempfile::tempdir().unwrap();
    let (fleet, path) = (folder.path().join("fleet"), folder.path().join("cred.sock"));
    with_files_in(&fleet);
    let events = serving(&fleet, &path);
    let value = |name| read(&fleet, "web1", name).unwrap();
    assert_eq!(answer(&path, Some(&name(1, "db.service/db-password"))), value("db-password"));
    assert!(matches!(events.recv().unwrap(), Event::Served(request) if request.unit == "db.service"));
    assert_eq!(answer(&path, Some(&name(2, "web@1.service/cookie"))), value("cookie"));
    assert_eq!(answer(&path, Some(&name(3, "mail.service/mail-key"))), b"the mail key");
    events.iter().take(2).for_each(drop);
    let refused = |name: Option<Vec<u8>>| {
        // Nothing, and more of it than systemd takes.
        assert_eq!(answer(&path, name.as_deref()), vec![0; (1 << 20) + 1], "{name:?}");
        match events.recv().unwrap() {
            Event::Refused { why, .. } => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(refused(Some(name(4, "web@1.service/db-password"))), Refusal::Unit));
    // It has no units at all.
    assert!(matches!(refused(Some(name(5, "db.service/token"))), Refusal::Unit));
    // Another machine's, and nobody's.
    for wrong in ["db.service/licence", "db.service/none", "db.service/../db-password", "db.service/db-password.prev"] {
        let why = refused(Some(name(6, wrong)));
        assert!(matches!(why, Refusal::Secret | Refusal::Nameless), "{wrong}: {why}");
    }
    for garbage in [&b"x"[..], b"\xff\xfe/unit/db.service/db-password", b"////", b"0/unit/db.service/\n\x1b[2J"] {
        let why = refused(Some([garbage, &std::process::id().to_le_bytes()].concat()));
        assert!(matches!(why, Refusal::Nameless | Refusal::Secret), "{why}");
    }
    assert!(matches!(refused(None), Refusal::Nameless));
    // What a peer says is not listened to, and who goes away at once harms nobody.
    let mut talker = ask(&path, Some(&name(7, "db.service/db-password")));
    talker.write_all(&[0xa5; 100]).ok();
    drop(talker);
    drop(ask(&path, Some(&name(8, "db.service/db-password"))));
    assert_eq!(answer(&path, Some(&name(9, "db.service/db-password"))), value("db-password"));
}

#[test]
fn a_repository_that_changes_counts_at_once_and_one_that_was_put_back_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (fleet, path) = (folder.path().join("fleet"), folder.path().join("cred.sock"));
    with_files_in(&fleet);
    let events = serving(&fleet, &path);
    let asked = || answer(&path, Some(&name(10, "db.service/db-password")));
    let first = asked();
    let old = ["aux-secrets.json", "aux-secrets.json.sig", "machines/web1/scope.age"]
        .map(|name| (fleet.join(name), std::fs::read(fleet.join(name)).unwrap()));
    rotate(&fleet, "db-password");
    let second = asked();
    assert!(first != second && second == read(&fleet, "web1", "db-password").unwrap());
    assert!(matches!(events.iter().nth(1).unwrap(), Event::Reloaded { .. }));
    assert!(matches!(events.recv().unwrap(), Event::Served(_)));
    for (path, bytes) in &old {
        aux_io::file::replace(path, bytes).unwrap();
    }
    assert_eq!(asked(), second);
    assert!(matches!(events.recv().unwrap(), Event::Unbelieved { why } if why.contains("older")));
    aux_io::file::replace(fleet.join("aux-secrets.json"), b"{}").unwrap();
    assert_eq!(asked(), second);
}

fn with_files_in(fleet: &Path) {
    std::fs::create_dir(fleet).unwrap();
    with_files(fleet);
}
