//! Names of machines, groups, environments and secrets: they become paths, attributes and fields of a key, so they are plain.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use aux_core::limits::SECRET_LABEL_BYTES_MAX;

/// `[a-z0-9]`, then `[a-z0-9._-]`, and no two dots in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// A name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("an empty name")]
    Empty,
    #[error("`{}…` has {bytes} bytes, more than the {SECRET_LABEL_BYTES_MAX} allowed (SECRET_LABEL_BYTES_MAX)", start)]
    Long { start: String, bytes: usize },
    #[error("`{name}`: a name begins with a-z or 0-9 and goes on with a-z, 0-9, `.`, `_` and `-`, never `..`")]
    Character { name: String },
}

impl Label {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(name: &str) -> Result<Self, LabelError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.is_empty() {
            return Err(LabelError::Empty);
        }
        if name.len() > SECRET_LABEL_BYTES_MAX {
            return Err(LabelError::Long { start: name.chars().take(16).collect(), bytes: name.len() });
        }
        let is_name = name.starts_with(is_plain)
            && name.chars().all(|c| is_plain(c) || matches!(c, '.' | '_' | '-'))
            && !name.contains("..");
        if is_name { Ok(Self(name.to_owned())) } else { Err(LabelError::Character { name: name.to_owned() }) }
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(name: String) -> Result<Self, LabelError> {
        name.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for good in ["a", "web-1.example.org", "0_0"] {
            assert_eq!(good.parse::<Label>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a..b", "A", "a/b", "-a", ".a", "ä", "a b", "a\0", &"a".repeat(129)] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
    }
}
