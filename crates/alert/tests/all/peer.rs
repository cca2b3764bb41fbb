//! Real programs as peers: found, started, read from, and ended with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use aux_alert::{Event, Message};
use jiff::Timestamp;

/// A program that runs beside a test.
pub(crate) struct Peer {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that it prints; the test fails where it prints no more.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the peer ended: {line}");
        line.trim_end().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "peers are programs of others, started as their users do")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A program of this machine. Without it the test says so and passes; in CI it fails.
#[expect(clippy::disallowed_methods, reason = "whether a peer is there depends on where the test runs")]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.or_else(|| missing(name))
}

/// The Python with the peers that `scripts/alert-peers.sh` installs.
pub(crate) fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/alerts/bin/python");
    if python.exists() { Some(python) } else { missing("the Python of scripts/alert-peers.sh") }
}

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a skip must be seen, and CI must not skip")]
fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var("CI").is_err(), "{what} is missing; scripts/peers.sh installs it");
    eprintln!("skipped: {what} is not here; scripts/peers.sh installs it");
    None
}

/// A script beside these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/peers").join(name)
}

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// A message about an advisory, with an id made of it.
pub(crate) fn message(advisory: &str) -> Message {
    let event = Event { advisory: advisory.to_owned(), is_test: false, ..Event::test("web-1", now()) };
    Message { event, id: format!("msg_{advisory}"), earlier: None }
}
