//! The last part of a store path, owned: `<32 characters of nix32>-<name>`.

use std::fmt;

use crate::StorePath;
use crate::store_path::StorePathError;

/// A store path without its store directory, checked. It sorts as Nix sorts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseName(Box<str>);

impl BaseName {
    /// Reads `01rwx9dqpbp7r777v319h2acnmqqawp0-hello-2.12`.
    pub fn parse(text: &str) -> Result<Self, StorePathError> {
        StorePath::parse_base(text).map(|path| Self(path.base().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 characters of nix32, the name of its narinfo.
    pub fn digest(&self) -> &str {
        self.0.split_once('-').map_or("", |(digest, _)| digest)
    }

    pub fn name(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, name)| name)
    }

    /// The whole store path.
    pub fn in_store(&self, store_directory: &str) -> String {
        format!("{store_directory}/{self}")
    }
}

impl From<StorePath<'_>> for BaseName {
    fn from(path: StorePath<'_>) -> Self {
        Self(path.base().into())
    }
}

impl fmt::Display for BaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_name_comes_apart_at_its_first_dash() {
        let base = BaseName::parse("01rwx9dqpbp7r777v319h2acnmqqawp0-libXtst-1.2.3").unwrap();
        assert_eq!((base.digest(), base.name()), ("01rwx9dqpbp7r777v319h2acnmqqawp0", "libXtst-1.2.3"));
        assert_eq!(base.in_store("/nix/store"), format!("/nix/store/{base}"));
        assert!(BaseName::parse("/nix/store/01rwx9dqpbp7r777v319h2acnmqqawp0-a").is_err());
    }
}
