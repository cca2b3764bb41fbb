//! Store paths: `/nix/store/<32 characters of nix32>-<name>`.

use crate::nix32;

/// A store path, taken apart. It borrows the text it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorePath<'a> {
    directory: &'a str,
    base: &'a str,
}

/// Characters of a digest in a store path.
const DIGEST_LENGTH: usize = 32;
/// Longest name of a store object (Nix manual, "Store Path", "Name").
const NAME_LENGTH_MAX: usize = 211;

/// Why a text is not a store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    #[error("`{0}` has no store directory before it")]
    NoDirectory(String),
    #[error("`{0}` does not begin with 32 characters of nix32 and a dash")]
    Digest(String),
    #[error("the name of `{0}` is empty, too long or holds a character that no store name holds")]
    Name(String),
}

impl<'a> StorePath<'a> {
    /// Reads an absolute store path, of any store directory, with nothing after the name.
    pub fn parse(text: &'a str) -> Result<Self, StorePathError> {
        match text.rsplit_once('/') {
            Some((directory, base)) if directory.starts_with('/') => Self::from_parts(directory, base),
            _ => Err(StorePathError::NoDirectory(text.to_owned())),
        }
    }

    /// Reads the last part of a store path, as newer JSON forms write it.
    pub fn parse_base(base: &'a str) -> Result<Self, StorePathError> {
        Self::from_parts("", base)
    }

    fn from_parts(directory: &'a str, base: &'a str) -> Result<Self, StorePathError> {
        let digest = base.as_bytes().get(..DIGEST_LENGTH);
        if !digest.is_some_and(|digest| digest.iter().copied().all(nix32::is_digit))
            || base.as_bytes().get(DIGEST_LENGTH) != Some(&b'-')
        {
            return Err(StorePathError::Digest(base.to_owned()));
        }
        let path = Self { directory, base };
        let name = path.name();
        if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(is_name_character) {
            return Err(StorePathError::Name(base.to_owned()));
        }
        Ok(path)
    }

    /// `/nix/store`; empty where only the last part was read.
    pub fn directory(&self) -> &'a str {
        self.directory
    }

    /// Everything after the store directory.
    pub fn base(&self) -> &'a str {
        self.base
    }

    /// The 32 characters of nix32.
    pub fn digest(&self) -> &'a str {
        self.base.get(..DIGEST_LENGTH).unwrap_or_default()
    }

    /// The name, version and output with it: `openssl-1.0.2k-bin`.
    pub fn name(&self) -> &'a str {
        self.base.get(DIGEST_LENGTH + 1..).unwrap_or_default()
    }

    /// The name of what this derivation builds, when it is one.
    pub fn derivation_name(&self) -> Option<&'a str> {
        self.name().strip_suffix(".drv")
    }
}

fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'?' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_path_comes_apart() {
        let text = "/nix/store/01rwx9dqpbp7r777v319h2acnmqqawp0-libXtst-1.2.3.tar.bz2.drv";
        let path = StorePath::parse(text).unwrap();
        assert_eq!(path.directory(), "/nix/store");
        assert_eq!(path.digest(), "01rwx9dqpbp7r777v319h2acnmqqawp0");
        assert_eq!(path.name(), "libXtst-1.2.3.tar.bz2.drv");
        assert_eq!(path.derivation_name(), Some("libXtst-1.2.3.tar.bz2"));
        assert_eq!(StorePath::parse_base(path.base()).unwrap().name(), path.name());
    }

    #[test]
    fn what_is_no_store_path_is_refused() {
        let digest = "01rwx9dqpbp7r777v319h2acnmqqawp0";
        assert!(matches!(StorePath::parse(digest), Err(StorePathError::NoDirectory(_))));
        assert!(matches!(StorePath::parse("/nix/store/short-name"), Err(StorePathError::Digest(_))));
        assert!(matches!(
            StorePath::parse(&format!("/s/{}-x", digest.replace('q', "e"))),
            Err(StorePathError::Digest(_))
        ));
        for name in ["", "a b", "a/", "é"] {
            assert!(StorePath::parse_base(&format!("{digest}-{name}")).is_err(), "{name}");
        }
        let long = format!("{digest}-{}", "x".repeat(NAME_LENGTH_MAX + 1));
        assert!(matches!(StorePath::parse_base(&long), Err(StorePathError::Name(_))));
    }
}
