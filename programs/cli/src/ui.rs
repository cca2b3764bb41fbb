//! The one file that speaks to people: answers to stdout, the conversation to stderr.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use aux_app::exit;
use aux_audit::formats::visible;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// Where output goes and what the terminal can do.
pub(crate) struct Ui {
    pub(crate) is_quiet: bool,
    pub(crate) has_color: bool,
    pub(crate) width: usize,
}

impl Ui {
    #[expect(clippy::disallowed_methods, reason = "NO_COLOR and COLUMNS are facts about the terminal")]
    pub(crate) fn of_terminal() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self { is_quiet: false, has_color: is_terminal && !no_color, width: columns.unwrap_or(80).clamp(40, 200) }
    }

    /// Writes an answer to stdout; a reader that went away ends the program quietly.
    pub(crate) fn answer(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Err(Failure { code: exit::CLOSED_PIPE, ..Failure::new("the reader of the output went away") })
            }
            Err(error) => Err(Failure::new(format!("standard output: {error}"))),
        }
    }

    /// A remark on stderr.
    pub(crate) fn remark(&mut self, text: &str) {
        if !self.is_quiet {
            say(visible(text));
        }
    }

    /// A bar on stderr, where that is a terminal.
    pub(crate) fn progress(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if self.is_quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar
    }

    /// Says an error in the shape every command has, and returns its exit code.
    pub(crate) fn fail(&mut self, failure: &Failure) -> u8 {
        const SHOWN: usize = 20;
        if failure.code == exit::CLOSED_PIPE {
            return failure.code;
        }
        say(format_args!("aux: error: {}", visible(&failure.message)));
        for detail in failure.details.iter().take(SHOWN) {
            say(format_args!("  {}", visible(detail)));
        }
        if failure.details.len() > SHOWN {
            say(format_args!("  and {} more", failure.details.len() - SHOWN));
        }
        if let Some(hint) = &failure.hint {
            say(format_args!("hint: {}", visible(hint)));
        }
        failure.code
    }
}

/// A line on stderr. One that cannot be written must not turn an answer into a crash.
fn say(line: impl Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Help and version go to stdout and are no error; anything else is a usage error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { exit::UNKNOWN } else { exit::DONE };
    match error.print() {
        Ok(()) => ExitCode::from(code),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(exit::CLOSED_PIPE),
        Err(_) => ExitCode::from(exit::UNKNOWN),
    }
}
