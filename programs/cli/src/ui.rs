//! The one file that speaks to people: answers to stdout, the conversation to stderr.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Stderr, Stdout, Write};
use std::process::ExitCode;

use aux_app::exit;
use aux_audit::formats::visible;
use aux_secrets::SecretBytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// One line typed by a person, bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Where output goes and what the terminal can do.
pub(crate) struct Ui {
    stdout: Stdout,
    stderr: Stderr,
    pub(crate) is_quiet: bool,
    pub(crate) has_color: bool,
    pub(crate) width: usize,
}

impl Ui {
    #[expect(clippy::disallowed_methods, reason = "NO_COLOR and COLUMNS are facts about the terminal")]
    pub(crate) fn of_terminal() -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let no_color = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let has_color = stdout.is_terminal() && !no_color;
        Self { stdout, stderr, is_quiet: false, has_color, width: columns.unwrap_or(80).clamp(40, 200) }
    }

    /// Writes an answer to stdout; a reader that went away ends the program quietly.
    pub(crate) fn answer(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = self.stdout.lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Err(Failure { code: exit::CLOSED_PIPE, ..Failure::new("the reader of the output went away") })
            }
            Err(error) => Err(Failure::new(format!("standard output: {error}"))),
        }
    }

    /// Sentences as text, each wrapped to the terminal; what is foreign in them cannot forge output.
    pub(crate) fn text_of(&self, lines: &[String]) -> String {
        let wrapped = lines.iter().flat_map(|line| wrap(&visible(line), self.width));
        wrapped.fold(String::new(), |text, line| text + &line + "\n")
    }

    /// Writes sentences to stdout.
    pub(crate) fn answer_lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        self.answer(&self.text_of(lines))
    }

    /// Writes rows to stdout whose columns stand as they are; what is foreign in them cannot forge output.
    pub(crate) fn answer_rows(&mut self, rows: &[String]) -> Result<(), Failure> {
        let text: String = rows.iter().map(|row| visible(row).trim_end().to_owned() + "\n").collect();
        self.answer(&text)
    }

    /// A remark on stderr.
    pub(crate) fn remark(&mut self, text: &str) {
        if !self.is_quiet {
            self.say(text);
        }
    }

    /// Where stderr is gone too, nobody can be told.
    fn say(&mut self, text: &str) {
        let _gone = writeln!(self.stderr, "{}", visible(text));
    }

    /// Whether a person can be asked.
    pub(crate) fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && self.stderr.is_terminal()
    }

    /// Says sentences to the person who is asked.
    pub(crate) fn tell(&mut self, lines: &[String]) {
        let text = self.text_of(lines);
        // Where stderr is gone, the answer that is then read is an end of input.
        self.stderr.write_all(text.as_bytes()).ok();
    }

    /// Asks for one line; `None` where the input has ended.
    pub(crate) fn ask(&mut self, question: &str) -> Option<String> {
        write!(self.stderr, "{} ", visible(question)).and_then(|()| self.stderr.flush()).ok()?;
        let mut line = String::new();
        match io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim().to_owned()),
        }
    }

    /// Closes stdout to others where it is a new file, as `> FILE` makes it: before a key goes there.
    pub(crate) fn close_answer_to_others(&self) {
        let Ok(stat) = rustix::fs::fstat(&self.stdout) else { return };
        let is_new_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_size == 0;
        if is_new_file && stat.st_uid == rustix::process::geteuid().as_raw() {
            // A file system without modes has none to change.
            rustix::fs::fchmod(&self.stdout, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).ok();
        }
    }

    /// Writes a secret to stdout as it is; a terminal gets a line feed behind it where it has none.
    pub(crate) fn answer_secret(&mut self, secret: &SecretBytes) -> Result<(), Failure> {
        let bytes = secret.reveal();
        let end: &[u8] = if self.stdout.is_terminal() && !bytes.ends_with(b"\n") { b"\n" } else { b"" };
        let mut stdout = self.stdout.lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.write_all(end)).and_then(|()| stdout.flush());
        written.map_err(|error| Failure::new(format!("standard output: {error}")))
    }

    /// Asks for one line that is not shown while it is typed; `None` where nothing comes.
    pub(crate) fn ask_unseen(&mut self, question: &str) -> Option<SecretBytes> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(termios::LocalModes::ECHO);
        write!(self.stderr, "{} ", visible(question)).and_then(|()| self.stderr.flush()).ok()?;
        termios::tcsetattr(&stdin, termios::OptionalActions::Flush, &unseen).ok()?;
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        let read = stdin.lock().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line);
        // The terminal is given back as it was, whatever was typed.
        termios::tcsetattr(&stdin, termios::OptionalActions::Flush, &before).ok();
        self.stderr.write_all(b"\n").ok();
        let typed = line.strip_suffix(b"\n").unwrap_or(&line);
        read.ok().filter(|_| !typed.is_empty()).map(|_| SecretBytes::from(typed))
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

    /// A count of bytes on stderr, where that is a terminal and nobody knows how many will come.
    pub(crate) fn bytes(&self, what: &'static str) -> ProgressBar {
        let bar = self.progress(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {binary_bytes} in {elapsed}") {
            bar.set_style(style);
        }
        bar
    }

    /// A bar for downloads, which says which file and how much of it.
    pub(crate) fn progress_of_bytes(&self) -> ProgressBar {
        let bar = self.progress("connecting");
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
            bar.set_style(style);
        }
        bar
    }

    /// Says an error in the shape every command has, and returns its exit code.
    pub(crate) fn fail(&mut self, failure: &Failure) -> u8 {
        const SHOWN: usize = 20;
        if failure.code == exit::CLOSED_PIPE {
            return failure.code;
        }
        self.say(&format!("aux: error: {}", failure.message));
        for detail in failure.details.iter().take(SHOWN) {
            self.say(&format!("  {detail}"));
        }
        if failure.details.len() > SHOWN {
            self.say(&format!("  and {} more", failure.details.len() - SHOWN));
        }
        if let Some(hint) = &failure.hint {
            self.say(&format!("hint: {hint}"));
        }
        failure.code
    }
}

/// Breaks a line at spaces; what follows stands two columns further in. A word longer than the line is left whole.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let mut lines = Vec::new();
    let mut current = " ".repeat(indent);
    let mut is_empty = true;
    for word in line.split_whitespace() {
        if !is_empty && current.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut current, " ".repeat(indent + 2)));
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    lines.push(current);
    lines
}

/// A number and its noun.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped_at_words_and_indented() {
        assert_eq!(wrap("  one two three", 10), ["  one two", "    three"]);
        assert_eq!(wrap("averyveryverylongword and more", 10), ["averyveryverylongword", "  and more"]);
        assert_eq!(wrap("", 10), [""]);
    }
}
