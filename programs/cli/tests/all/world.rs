//! A world of its own for one test: a folder with a home in it, nothing of the real environment, and a pinned day.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::fixtures;

/// The day every audit in a world is judged at.
const DAY: &str = "2021-06-01";

/// A folder, and what was said in it.
pub(crate) struct World {
    folder: tempfile::TempDir,
    transcript: String,
}

/// How one run of the command ended.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Said {
    /// The JSON document on standard output.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Everything a person sees, and the exit code.
    pub(crate) fn shown(&self) -> String {
        let mut text = self.stdout.clone();
        for line in self.stderr.lines() {
            let _ = writeln!(text, "stderr: {line}");
        }
        let _ = writeln!(text, "exit {}", self.code.map_or("by a signal".to_owned(), |code| code.to_string()));
        text
    }
}

impl World {
    /// A world without a feed.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "config", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, transcript: String::new() }
    }

    /// A world with `feed.auxdb`, compiled once from the advisories of [`fixtures`].
    pub(crate) fn new() -> Self {
        static FEED: OnceLock<Vec<u8>> = OnceLock::new();
        let world = Self::empty();
        let feed = FEED.get_or_init(|| {
            let maker = Self::empty();
            fixtures::sources(&maker);
            let said = maker.run(
                "feed build --nvd nvd.json --kev kev.json --osv osv.json --triage triage --details feed.auxdetails --output feed.auxdb",
            );
            assert_eq!(said.code, Some(0), "{}", said.shown());
            fs::read(maker.path("feed.auxdb")).unwrap()
        });
        world.bytes("feed.auxdb", feed);
        world
    }

    /// A path in the folder where commands run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// A path beside it: `home/…`, `config/…`.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        self.bytes(name, text.as_bytes())
    }

    pub(crate) fn bytes(&self, name: &str, bytes: &[u8]) -> &Self {
        write(&self.path(name), bytes);
        self
    }

    /// The command with these arguments, ready for more; words are split at blanks.
    #[expect(clippy::disallowed_methods, reason = "the command is tested as its users run it, as a process")]
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aux"));
        command.args(arguments.split_whitespace()).current_dir(self.path("")).env_clear();
        command
            .env("HOME", self.outside("home"))
            .env("XDG_CONFIG_HOME", self.outside("config"))
            .env("PATH", "/nonexistent");
        if arguments.starts_with("audit") && !arguments.contains("--as-of") && !arguments.contains("--help") {
            command.args(["--as-of", DAY]);
        }
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Said {
        self.finish(&mut self.command(arguments))
    }

    /// With something on standard input.
    pub(crate) fn run_with(&self, arguments: &str, input: &[u8]) -> Said {
        let mut child = self.command(arguments);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A command that refuses its input early closes the pipe.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        });
        self.said(&output)
    }

    pub(crate) fn finish(&self, command: &mut Command) -> Said {
        self.said(&command.output().unwrap())
    }

    fn said(&self, output: &std::process::Output) -> Said {
        let real = self.folder.path().canonicalize().unwrap();
        let normalised = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&real.display().to_string(), "[WORLD]");
            text.replace(&self.folder.path().display().to_string(), "[WORLD]")
        };
        Said { stdout: normalised(&output.stdout), stderr: normalised(&output.stderr), code: output.status.code() }
    }

    /// Runs a command and writes it down as a person would have seen it.
    pub(crate) fn show(&mut self, arguments: &str) -> Said {
        let said = self.run(arguments);
        self.note(arguments, &said);
        said
    }

    fn note(&mut self, arguments: &str, said: &Said) {
        let _ = write!(self.transcript, "$ aux {arguments}\n{}\n", said.shown());
    }

    /// Writes down a part of what a command said.
    pub(crate) fn transcribe(&mut self, arguments: &str, part: &str) {
        let _ = write!(self.transcript, "$ aux {arguments}\n{part}");
    }

    /// Everything shown so far.
    pub(crate) fn transcript(&self) -> &str {
        &self.transcript
    }
}

/// What a command answers that must go well.
pub(crate) fn good(world: &World, arguments: &str) -> String {
    let said = world.run(arguments);
    assert_eq!(said.code, Some(0), "{arguments}: {}", said.shown());
    said.stdout
}

/// Writes a file, and the folders it lies in.
#[expect(clippy::disallowed_methods, reason = "nobody reads this file while it is written")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Lines as one text.
pub(crate) fn text_of(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Says that a test did not run, and why.
#[expect(clippy::print_stderr, reason = "a skip must be seen")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
