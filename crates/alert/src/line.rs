//! The line that terminals show: `/run/aux/motd`, written on change and printed by hooks that ask nobody.
//!
//! The format has its page, docs/formats/motd.md.

use std::path::Path;

use aux_core::limits::ALERT_LINE_CHARACTERS_MAX;
use aux_core::visible::visible;
use aux_io::file::{self, FileError};

/// What a critical line begins with; hooks show such a line in every new shell.
pub const CRITICAL: &str = "aux: critical: ";
/// What any other line begins with.
pub const ORDINARY: &str = "aux: ";

/// One line, or nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Nothing to say.
    pub fn silent() -> Self {
        Self(String::new())
    }

    /// A text such as `3 alarms, 1 with a fix; see: aux audit`, made harmless and cut to one line.
    pub fn new(text: &str, is_critical: bool) -> Self {
        let prefix = if is_critical { CRITICAL } else { ORDINARY };
        let line: String = prefix.chars().chain(visible(text).chars()).collect();
        if line.chars().count() <= ALERT_LINE_CHARACTERS_MAX {
            return Self(line);
        }
        let cut: String = line.chars().take(ALERT_LINE_CHARACTERS_MAX - 1).collect();
        Self(cut + "…")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the line at `path` in one step, and leaves a file that says the same alone; says whether it changed.
    ///
    /// The file stays empty rather than missing where there is nothing to say. Every user may read it.
    pub fn write(&self, path: &Path) -> Result<bool, FileError> {
        let text = if self.0.is_empty() { String::new() } else { format!("{}\n", self.0) };
        if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(false);
        }
        file::replace(path, text.as_bytes())?;
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .map_err(|cause| FileError::Write { path: path.to_path_buf(), cause })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_harmless_line_of_bounded_length() {
        assert_eq!(Line::new("1 alarm; see: aux audit", false).as_str(), "aux: 1 alarm; see: aux audit");
        assert_eq!(Line::new("a\u{1b}]0;x\u{7}\nb", true).as_str(), r"aux: critical: a\u{1b}]0;x\u{7}\nb");
        assert_eq!(Line::new(&"x".repeat(9_000), false).as_str().chars().count(), ALERT_LINE_CHARACTERS_MAX);
    }

    #[test]
    fn a_file_that_says_the_same_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("motd");
        let line = Line::new("1 alarm", false);
        assert!(line.write(&path).unwrap());
        assert!(!line.write(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"aux: 1 alarm\n");
        assert!(Line::silent().write(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
