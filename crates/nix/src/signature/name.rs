//! The name of a signing key: `cache.example.org-1`.

use std::fmt;

use aux_core::limits::KEY_NAME_BYTES_MAX;

use super::KeyError;

/// A name of visible ASCII without a colon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(Box<str>);

impl KeyName {
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let fits = (1..=KEY_NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if fits { Ok(Self(text.into())) } else { Err(KeyError::Name) }
    }

    /// Takes `name:rest` apart.
    pub(super) fn split(text: &str) -> Result<(Self, &str), KeyError> {
        let (name, rest) = text.split_once(':').ok_or(KeyError::NoColon)?;
        Ok((Self::parse(name)?, rest))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
