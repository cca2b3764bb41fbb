//! A signature as it stands in a narinfo: `name:base64`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{KeyError, KeyName};

const LENGTH: usize = 64;

/// An Ed25519 signature (RFC 8032) and the name of the key that made it. It says nothing until it is verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    pub key: KeyName,
    pub bytes: [u8; LENGTH],
}

impl Signature {
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (key, encoded) = KeyName::split(text)?;
        let bytes = decode(encoded).ok_or(KeyError::Bytes { what: "the signature", length: LENGTH })?;
        Ok(Self { key, bytes })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.key, BASE64.encode(self.bytes))
    }
}

/// Exactly so many bytes out of base64.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // No use allocating for what is longer than any key.
    (text.len() == N.div_ceil(3) * 4).then(|| BASE64.decode(text).ok()?.try_into().ok()).flatten()
}
