//! Public keys, and the set of them that somebody trusts.

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::text::decode;
use super::{KeyError, KeyName, Proof, Signature, SignatureError, Verified};

const LENGTH: usize = 32;

/// An Ed25519 public key under its name; printed as `trusted-public-keys` has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    pub name: KeyName,
    pub bytes: [u8; LENGTH],
}

impl PublicKey {
    /// Reads `cache.example.org-1:base64`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, encoded) = KeyName::split(text)?;
        let bytes = decode(encoded).ok_or(KeyError::Bytes { what: "the public key", length: LENGTH })?;
        Ok(Self { name, bytes })
    }

    fn fits(&self, message: &[u8], signature: &Signature) -> bool {
        self.name == signature.key
            && UnparsedPublicKey::new(&ED25519, self.bytes).verify(message, &signature.bytes).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, BASE64.encode(self.bytes))
    }
}

/// Keys whose word counts. Two may share a name, as while one is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Reads keys between blanks or lines, as in `trusted-public-keys`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        text.split_ascii_whitespace().map(PublicKey::parse).collect::<Result<_, _>>().map(Self)
    }

    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// The proof that one of the signatures of `message` is by one of these keys.
    pub fn verify<T>(&self, value: T, message: &[u8], signatures: &[Signature]) -> Result<Verified<T>, SignatureError> {
        if signatures.is_empty() {
            return Err(SignatureError::Unsigned);
        }
        let by_trusted = |signature: &&Signature| self.0.iter().any(|key| key.name == signature.key);
        for signature in signatures.iter().filter(by_trusted) {
            if self.0.iter().any(|key| key.fits(message, signature)) {
                return Ok(Verified::new(value, Proof::Signature(signature.key.clone())));
            }
        }
        Err(match signatures.iter().find(by_trusted) {
            Some(signature) => SignatureError::Wrong { key: signature.key.to_string() },
            None => SignatureError::Untrusted { signers: signatures.iter().map(|one| one.key.to_string()).collect() },
        })
    }
}
