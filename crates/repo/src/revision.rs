//! A revision: the full id of a commit, and nothing that git could take for anything else.

use std::fmt;

/// The id of a commit in lower-case hexadecimal: 40 digits of SHA-1, or 64 of SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(String);

impl Revision {
    /// The id, where the text is one; abbreviations are none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hexadecimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (matches!(text.len(), 40 | 64) && is_hexadecimal).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Twelve digits, enough for a person.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
