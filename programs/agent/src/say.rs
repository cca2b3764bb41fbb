//! The one file that speaks: answers to stdout, the log to stderr, where journald reads its priorities.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use aux_app::exit;

/// Both programs of this package speak here.
const PROGRAM: &str = env!("CARGO_BIN_NAME");

/// An answer on stdout. A reader that went away is no failure of the round.
pub(crate) fn answer(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

/// Something for the log.
pub(crate) fn note(text: &str) {
    line("<6>", text);
}

/// Something in the log that somebody should look at.
pub(crate) fn warn(text: &str) {
    line("<4>", text);
}

pub(crate) fn error(text: &str) {
    line("<3>", &format!("error: {text}"));
}

/// sd-daemon(3): a line that begins with `<N>` has that priority. Elsewhere a person reads it, without the mark.
#[expect(clippy::disallowed_methods, reason = "systemd says in the environment that stderr is the journal")]
fn line(priority: &str, text: &str) {
    let is_journal = std::env::var("JOURNAL_STREAM").is_ok();
    let mut stderr = io::stderr().lock();
    for part in text.lines() {
        let shown: String = part.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let mark = if is_journal { priority } else { "" };
        // Where stderr is gone too, nobody can be told.
        let _gone = writeln!(stderr, "{mark}{PROGRAM}: {shown}");
    }
}

/// Help and version go to stdout and are no error; anything else is a usage error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { exit::UNKNOWN } else { exit::DONE };
    ExitCode::from(if error.print().is_ok() { code } else { exit::UNKNOWN })
}
