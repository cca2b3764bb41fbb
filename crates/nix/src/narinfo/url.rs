//! Where a NAR is: a path below the cache that leads nowhere else.

use std::fmt;

use aux_core::limits::NARINFO_URL_BYTES_MAX;

/// A relative URL such as `nar/1fm….nar.xz`, perhaps with a query. It cannot climb, be absolute or hide a character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NarUrl(Box<str>);

/// Why a URL is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarUrlError {
    #[error("the URL is longer than {NARINFO_URL_BYTES_MAX} bytes")]
    TooLong,
    #[error("the URL `{0}` holds a character other than letters, digits and `-._~+=&?/`")]
    Character(String),
    #[error("the URL `{0}` has an empty part, `.` or `..` in its path")]
    Part(String),
}

impl NarUrl {
    pub fn parse(text: &str) -> Result<Self, NarUrlError> {
        if text.len() > NARINFO_URL_BYTES_MAX {
            return Err(NarUrlError::TooLong);
        }
        // No `:` and so no scheme, no `%` and so nothing hidden, no `\` that some take for a `/`.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+=&?/".contains(&byte)) {
            return Err(NarUrlError::Character(text.to_owned()));
        }
        let path = text.split_once('?').map_or(text, |(path, _query)| path);
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(NarUrlError::Part(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NarUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
