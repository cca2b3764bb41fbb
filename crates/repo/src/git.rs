//! The program `git`, told nothing by the user's settings and allowed nothing that a repository asks for.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_core::limits::GIT_SECONDS_MAX;
use aux_io::process::{self, Command, ProcessError};

/// Bytes of what git complains that are worth repeating.
const COMPLAINT_BYTES_MAX: usize = 600;

/// How to run `git`.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    time_limit: Duration,
}

/// Why git gave no answer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("{}: no such program; install git", program.display())]
    Missing { program: PathBuf },
    #[error("git: {complaint}")]
    Failed { complaint: String },
    #[error("git did not end within {seconds} seconds (GIT_SECONDS_MAX) and was stopped")]
    Timeout { seconds: u64 },
    #[error("{0}")]
    Process(ProcessError),
}

/// What is switched off or fixed in every call. Whatever could run a program of the repository's choice is among it.
const SETTINGS: [&str; 18] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.askPass=",
    "credential.helper=",
    "credential.interactive=false",
    "fetch.fsckObjects=true",
    // Old histories have these, and they are harmless.
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
];

/// Variables of the caller's environment that git is given: how to find programs, keys and the way out.
const PASSED: [&str; 13] = [
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "NIX_SSL_CERT_FILE",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Whatever asks a question would wait for ever; an unknown host key is refused instead of asked about.
const SSH: &str = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ClearAllForwardings=yes";

impl Git {
    /// `environment` is the caller's; of it only what git needs is passed on.
    pub fn new(program: impl AsRef<Path>, environment: &[(OsString, OsString)]) -> Self {
        let passed = |name: &OsStr| PASSED.iter().any(|passed| name == *passed);
        let mut environment: Vec<_> = environment.iter().filter(|(name, _)| passed(name)).cloned().collect();
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_ALLOW_PROTOCOL", "https:ssh:file"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_SSH_COMMAND", SSH),
            ("GIT_SSH_VARIANT", "ssh"),
        ] {
            environment.push((name.into(), value.into()));
        }
        let time_limit = Duration::from_secs(GIT_SECONDS_MAX);
        Self { program: program.as_ref().to_owned(), environment, time_limit }
    }

    /// The same with another time limit.
    #[must_use]
    pub fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// The same with a variable of git's own.
    #[must_use]
    pub(crate) fn variable(&self, name: &str, value: impl Into<OsString>) -> Self {
        let mut git = self.clone();
        git.environment.retain(|(known, _)| known != name);
        git.environment.push((name.into(), value.into()));
        git
    }

    /// Runs git with these arguments and returns its standard output.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<Vec<u8>, GitError> {
        let mut command = Command::new(&self.program, self.time_limit);
        command.environment.clone_from(&self.environment);
        for setting in SETTINGS {
            command = command.argument("-c").argument(setting);
        }
        command.arguments.extend(arguments.into_iter().map(OsStr::to_owned));
        process::run(&command).map_err(|error| match error {
            ProcessError::Missing { program } => GitError::Missing { program },
            ProcessError::Timeout { time_limit, .. } => GitError::Timeout { seconds: time_limit.as_secs() },
            ProcessError::Status { stderr, .. } => GitError::Failed { complaint: complaint(&stderr) },
            other => GitError::Process(other),
        })
    }
}

/// What matters of a complaint: the fatal lines, in one line.
fn complaint(stderr: &str) -> String {
    let strip = |line: &str| ["fatal: ", "error: "].iter().find_map(|word| line.strip_prefix(word).map(str::to_owned));
    let mut lines: Vec<String> = stderr.lines().map(str::trim).filter_map(strip).collect();
    if lines.is_empty() {
        lines.extend(stderr.trim().lines().next_back().map(str::to_owned));
    }
    lines.dedup();
    let mut complaint = lines.join("; ");
    if complaint.is_empty() {
        "it failed and did not say why".clone_into(&mut complaint);
    }
    if complaint.len() > COMPLAINT_BYTES_MAX {
        complaint.truncate(complaint.floor_char_boundary(COMPLAINT_BYTES_MAX));
        complaint.push('…');
    }
    complaint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_needs_of_the_environment_is_passed_on() {
        let variables =
            ["PATH", "GIT_DIR", "GIT_SSH_COMMAND", "LD_PRELOAD", "HOME"].map(|name| (name.into(), "given".into()));
        let git = Git::new("git", &variables);
        let given: Vec<_> =
            git.environment.iter().filter(|(_, value)| value == "given").map(|(name, _)| name).collect();
        assert_eq!(given, ["PATH", "HOME"]);
    }

    #[test]
    fn a_complaint_is_its_fatal_lines() {
        assert_eq!(complaint("hint: x\nfatal: no such thing\nfatal: no such thing\nerror: y\n"), "no such thing; y");
        assert_eq!(complaint("Connection closed\n"), "Connection closed");
        assert_eq!(complaint(""), "it failed and did not say why");
    }
}
