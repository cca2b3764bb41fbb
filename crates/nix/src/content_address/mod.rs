//! Store paths that follow from what is in them (Nix manual, "Content-addressing store objects").

mod digests;
mod verify;

use std::collections::BTreeSet;
use std::fmt;

pub use verify::ContentError;

use crate::hash::{Algorithm, HashError, Sha256};
use crate::store_path::StorePathError;
use crate::{BaseName, Hash, StorePath, nix32};

/// Bytes of a store path's digest: a SHA-256 folded over itself.
const DIGEST_LENGTH: usize = 20;

/// How the content was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// A single file's bytes: `fixed:sha256:…`.
    Flat,
    /// The NAR: `fixed:r:sha256:…`.
    Recursive,
    /// A tree as git hashes it: `fixed:git:sha1:…`.
    Git,
    /// A single file's bytes, written by Nix itself and with references: `text:sha256:…`.
    Text,
}

/// The `CA` of a narinfo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentAddress {
    pub method: Method,
    pub hash: Hash,
}

/// Why a content address is none, or gives no store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentAddressError {
    #[error("`{0}` does not begin with `fixed:` or `text:`")]
    Method(String),
    #[error("{0}")]
    Hash(#[from] HashError),
    #[error("`{0}` is text, which is hashed with sha256 alone")]
    TextAlgorithm(String),
    #[error("`{0}` cannot have references")]
    References(String),
    #[error("text cannot refer to itself")]
    SelfReference,
    #[error("{0}")]
    Name(#[from] StorePathError),
}

impl ContentAddress {
    /// Reads `fixed:r:sha256:…`, `fixed:sha256:…`, `fixed:git:sha1:…` or `text:sha256:…`.
    pub fn parse(text: &str) -> Result<Self, ContentAddressError> {
        let (method, hash) = if let Some(hash) = text.strip_prefix("text:") {
            (Method::Text, hash)
        } else if let Some(rest) = text.strip_prefix("fixed:") {
            let recursive = rest.strip_prefix("r:").map(|hash| (Method::Recursive, hash));
            let git = || rest.strip_prefix("git:").map(|hash| (Method::Git, hash));
            recursive.or_else(git).unwrap_or((Method::Flat, rest))
        } else {
            return Err(ContentAddressError::Method(text.to_owned()));
        };
        let hash = Hash::parse(hash)?;
        if method == Method::Text && hash.algorithm() != Algorithm::Sha256 {
            return Err(ContentAddressError::TextAlgorithm(text.to_owned()));
        }
        Ok(Self { method, hash })
    }

    /// The store path that this content has under a name; `references` are whole paths' last parts.
    pub fn store_path(
        &self,
        store_directory: &str,
        name: &str,
        references: &BTreeSet<BaseName>,
        refers_to_itself: bool,
    ) -> Result<BaseName, ContentAddressError> {
        let has_references = refers_to_itself || !references.is_empty();
        let with_references = |kind: &str| {
            let mut kind = kind.to_owned();
            for reference in references {
                kind.push(':');
                kind.push_str(&reference.in_store(store_directory));
            }
            kind + if refers_to_itself { ":self" } else { "" }
        };
        match (self.method, self.hash.algorithm()) {
            (Method::Text, _) if refers_to_itself => Err(ContentAddressError::SelfReference),
            (Method::Text, _) => make(store_directory, &with_references("text"), &self.hash, name),
            (Method::Recursive, Algorithm::Sha256) => {
                make(store_directory, &with_references("source"), &self.hash, name)
            }
            _ if has_references => Err(ContentAddressError::References(self.to_string())),
            _ => {
                let inner = format!("fixed:out:{}{}:", self.method.prefix(), self.hash.hexadecimal());
                make(store_directory, "output:out", &Sha256::of(inner.as_bytes()).into(), name)
            }
        }
    }
}

impl Method {
    fn prefix(self) -> &'static str {
        match self {
            Self::Flat | Self::Text => "",
            Self::Recursive => "r:",
            Self::Git => "git:",
        }
    }
}

impl fmt::Display for ContentAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.method == Method::Text { "text:" } else { "fixed:" };
        write!(formatter, "{kind}{}{}", self.method.prefix(), self.hash)
    }
}

/// The store path of a kind, a hash and a name (Nix manual, "Complete Store Path Calculation").
fn make(store_directory: &str, kind: &str, hash: &Hash, name: &str) -> Result<BaseName, ContentAddressError> {
    let fingerprint = format!("{kind}:{}:{store_directory}:{name}", hash.hexadecimal());
    let mut folded = [0_u8; DIGEST_LENGTH];
    for (index, byte) in Sha256::of(fingerprint.as_bytes()).0.into_iter().enumerate() {
        if let Some(slot) = folded.get_mut(index % DIGEST_LENGTH) {
            *slot ^= byte;
        }
    }
    let base = format!("{}-{name}", nix32::encode(&folded));
    Ok(StorePath::parse_base(&base)?.into())
}
