//! Snippets for shells and the message of the day: they print the line and start no program to do so.
//!
//! A line is printed once to a user, when it is new; a critical one also in every new shell. What was printed last stands
//! in `$XDG_STATE_HOME/aux/motd-seen`. Control characters never reach the terminal, whoever wrote the file.

use std::fmt;
use std::str::FromStr;

/// Who runs a snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    /// A script for `/etc/update-motd.d`, or anything that prints when a session begins.
    Motd,
}

impl Shell {
    pub const ALL: [Self; 4] = [Self::Bash, Self::Zsh, Self::Fish, Self::Motd];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Motd => "motd",
        }
    }

    /// The snippet, to be evaluated by the shell (or, for [`Self::Motd`], to be installed as a script).
    ///
    /// `line` is the file to print, with any quotes in it taken care of.
    pub fn snippet(self, line: &str) -> String {
        let (template, quoted) = match self {
            Self::Bash => (include_str!("hook/bash.sh"), posix_quoted(line)),
            Self::Zsh => (include_str!("hook/zsh.sh"), posix_quoted(line)),
            Self::Fish => (include_str!("hook/fish.fish"), fish_quoted(line)),
            Self::Motd => (include_str!("hook/motd.sh"), posix_quoted(line)),
        };
        template.replace("@LINE@", &quoted)
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that names no shell with a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no hook for `{0}`: bash, zsh, fish or motd")]
pub struct UnknownShell(pub String);

impl FromStr for Shell {
    type Err = UnknownShell;

    fn from_str(word: &str) -> Result<Self, UnknownShell> {
        Self::ALL.into_iter().find(|shell| shell.as_str() == word).ok_or_else(|| UnknownShell(word.to_owned()))
    }
}

/// POSIX shells, XCU section 2.2.2: nothing inside single quotes has a meaning but the quote that ends them.
fn posix_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// In fish, a backslash and a quote keep their backslash inside single quotes.
fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
