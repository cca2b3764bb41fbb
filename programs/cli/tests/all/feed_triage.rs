//! `aux feed triage`: what waits, in which order; decisions written as files; on a real terminal too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::corpora::in_ci;
use crate::fixtures;
use crate::world::{World, skipped};

const ARGUMENTS: &str = "--triage triage --feed feed.auxdb --author Ada --as-of 2021-06-01";

/// Three systems: bolt, which two vendors claim, is on two of them.
fn world() -> World {
    let world = World::new();
    fixtures::sources(&world);
    world.file("fleet/web", "bolt-1.0\nopenssl-1.1.1j\n").file("fleet/db", "bolt-1.5\nzlib-1.2.11\n");
    world.file("fleet/ci", "openssl-1.1.1i\n");
    world.file(
        "triage/statements/old.toml",
        "# kept as it is\n[[statement]]\npackage = \"nix:zlib\"\nids = [\"CVE-2020-10009\"]\nstatus = \"affected\"\nreason = \"r\"\nauthor = \"a\"\ndate = 2020-06-01\nexpires = 2021-06-10\n",
    );
    world.file("waivers.toml", "[[waiver]]\nids = [\"CVE-1999-0001\"]\nreason = \"was once\"\n");
    world
}

#[test]
fn what_waits_is_listed_most_systems_first() {
    let mut world = world();
    world.show(&format!("feed triage fleet {ARGUMENTS} --waivers waivers.toml"));
    world.show(&format!("feed triage fleet/ci {ARGUMENTS} --json"));
    world.show(&format!("feed triage fleet/web nowhere {ARGUMENTS}"));
    world.file("empty", "hello-1.0\n");
    world.show(&format!("feed triage empty {ARGUMENTS} --expiring 0"));
    world.show("feed triage fleet --triage nowhere --feed feed.auxdb");
    world.file("triage/broken.toml", "[[identity]]\n");
    world.show(&format!("feed triage fleet {ARGUMENTS}"));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn answers_become_files_that_lint_accepts_and_are_asked_once() {
    let world = world();
    // bolt is Acme's; not Initech's; then every other question is decided too.
    let answers =
        "?\ny\nAcme makes it\nn\nanother program\nn\n2\nnonsense\nr\nn\n2\n*\nonly on Windows\ny\ny\ny\n*\nseen\n";
    let command = format!("feed triage fleet {ARGUMENTS} --ask --severity none");
    let said = world.run_with(&command, answers.as_bytes());
    insta::assert_snapshot!(said.shown());
    let written = |name: &str| fs::read_to_string(world.path(name)).unwrap_or_default();
    insta::assert_snapshot!(
        "files",
        format!(
            "{}---\n{}---\n{}",
            written("triage/identities/decided.toml"),
            written("triage/statements/decided.toml"),
            written("triage/statements/old.toml")
        )
    );
    // Lint goes by the real day, on which these statements may have ended; it has nothing else to say.
    let lint = world.run("feed lint triage --json").json();
    let notes = lint["notes"].as_array().unwrap();
    assert!(notes.iter().all(|note| note["message"].as_str().unwrap().starts_with("the statement expired")), "{lint}");
    // The decision carries to the next version, and to the next build.
    let build = "feed build --nvd nvd.json --kev kev.json --osv osv.json --triage triage --output feed.auxdb";
    assert_eq!(world.run(build).code, Some(0));
    world.file("fleet/web", "bolt-1.9\n");
    let again = world.run(&format!("feed triage fleet {ARGUMENTS} --json --severity none")).json();
    let about_bolt = |item: &serde_json::Value| item["kind"] == "identity";
    assert!(!again["items"].as_array().unwrap().iter().any(about_bolt), "{again}");
}

#[test]
fn a_decision_is_made_on_a_real_terminal() {
    let Some(tmux) = tmux() else { return };
    let world = world();
    let terminal = Terminal::start(&tmux, &world, &format!("feed triage fleet {ARGUMENTS} --expiring 0"));
    let screen = terminal.until("[y,n,s,q,?]");
    assert!(screen.starts_with("(1/"), "{screen}");
    terminal.keys(&["?", "Enter"]);
    terminal.until("quit; what was decided is written already");
    terminal.keys(&["y", "Enter"]);
    terminal.until("Reason, a sentence");
    terminal.keys(&["Acme's bolt since 1999", "Enter"]);
    terminal.until("decided.toml: written");
    terminal.until("(2/");
    terminal.keys(&["q", "Enter"]);
    terminal.until("ended with 1");
    let text = fs::read_to_string(world.path("triage/identities/decided.toml")).unwrap();
    assert!(text.contains("Acme's bolt since 1999") && text.contains("author = \"Ada\""), "{text}");
}

/// The program, or a visible skip.
fn tmux() -> Option<PathBuf> {
    let found = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/run/current-system/sw/bin/tmux"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        assert!(!in_ci(), "tmux is missing");
        skipped("tmux is not there; scripts/peers.sh installs it");
    }
    found
}

/// A terminal of 80 by 40, and what it shows.
struct Terminal<'a> {
    tmux: &'a Path,
    socket: PathBuf,
}

impl<'a> Terminal<'a> {
    fn start(tmux: &'a Path, world: &World, arguments: &str) -> Self {
        let terminal = Self { tmux, socket: world.outside("tmux.socket") };
        let line = format!("{} {arguments}; echo ended with $?; read line", env!("CARGO_BIN_EXE_aux"));
        let started = terminal
            .command(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "40", &line])
            .current_dir(world.path(""))
            .output()
            .unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        terminal
    }

    #[expect(clippy::disallowed_methods, reason = "the terminal is a real one, run as a process")]
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.tmux);
        let folder = self.socket.parent().unwrap();
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm");
        command.arg("-S").arg(&self.socket).args(arguments);
        command
    }

    fn keys(&self, keys: &[&str]) {
        assert!(self.command(&["send-keys"]).args(keys).status().unwrap().success());
    }

    /// The screen, as soon as it shows something.
    fn until(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let output = self.command(&["capture-pane", "-p", "-J"]).output().unwrap();
            let screen = String::from_utf8_lossy(&output.stdout).into_owned();
            if screen.contains(text) {
                return screen;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "no `{text}` on the screen:\n{screen}");
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // This terminal's own server, by its socket.
        drop(self.command(&["kill-server"]).output());
    }
}
