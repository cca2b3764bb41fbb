//! What a tang server says its keys are: a JSON Web Signature (RFC 7515) by each of its signing keys.
//!
//! A signing key is trusted by its thumbprint, and vouches for the exchange keys beside it.

use aux_core::limits::{TANG_ANSWER_BYTES_MAX, TANG_KEYS_MAX};
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::key::{Jwk, JwkSet, KeyError};

/// An advertisement whose signatures hold. Only [`Advertisement::verify`] makes one.
#[derive(Debug, Clone)]
pub struct Advertisement {
    keys: JwkSet,
}

/// What is no advertisement, or not a trusted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvertisementError {
    #[error("{bytes} bytes, more than the {TANG_ANSWER_BYTES_MAX} allowed (TANG_ANSWER_BYTES_MAX)")]
    TooLong { bytes: usize },
    #[error("not a signed set of keys: {cause}")]
    Syntax { cause: String },
    #[error("{keys} keys, more than the {TANG_KEYS_MAX} allowed (TANG_KEYS_MAX)")]
    TooMany { keys: usize },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("no key of it is for signing")]
    NoSigningKey,
    #[error("no key of it is for exchange")]
    NoExchangeKey,
    #[error("signing key {thumbprint} has not signed it")]
    Unsigned { thumbprint: String },
    #[error("it is signed by {}, not by the trusted key {trusted}", signers.join(" and "))]
    Untrusted { trusted: String, signers: Vec<String> },
}

#[derive(Deserialize)]
struct Jws {
    payload: String,
    #[serde(default)]
    signatures: Vec<Signature>,
    protected: Option<String>,
    signature: Option<String>,
}

#[derive(Deserialize)]
struct Signature {
    protected: String,
    signature: String,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
}

impl Advertisement {
    /// Checks that every signing key in it has signed it, so that a key that is only listed is not taken for a signer.
    pub fn verify(bytes: &[u8]) -> Result<Self, AdvertisementError> {
        let syntax = |cause: String| AdvertisementError::Syntax { cause };
        if u64::try_from(bytes.len()).is_ok_and(|length| length > TANG_ANSWER_BYTES_MAX) {
            return Err(AdvertisementError::TooLong { bytes: bytes.len() });
        }
        let jws: Jws = serde_json::from_slice(bytes).map_err(|error| syntax(error.to_string()))?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(&jws.payload).map_err(|error| syntax(error.to_string()))?;
        let keys: JwkSet = serde_json::from_slice(&payload).map_err(|error| syntax(error.to_string()))?;
        if keys.keys.len() > TANG_KEYS_MAX || jws.signatures.len() > TANG_KEYS_MAX {
            return Err(AdvertisementError::TooMany { keys: keys.keys.len().max(jws.signatures.len()) });
        }
        let mut signatures = jws.signatures;
        if let (Some(protected), Some(signature)) = (jws.protected, jws.signature) {
            signatures.push(Signature { protected, signature });
        }
        let signers: Vec<&Jwk> = keys.keys.iter().filter(|key| key.may("verify")).collect();
        if signers.is_empty() {
            return Err(AdvertisementError::NoSigningKey);
        }
        for signer in signers {
            signer.point()?;
            let public = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, signer.uncompressed()?);
            if !signatures.iter().any(|signature| signature.is_by(&public, &jws.payload)) {
                return Err(AdvertisementError::Unsigned { thumbprint: signer.thumbprint() });
            }
        }
        Ok(Self { keys })
    }

    /// The same, if one of the signing keys is the one that was trusted.
    pub fn trusted(self, thumbprint: &str) -> Result<Self, AdvertisementError> {
        let signers = self.signers();
        if signers.iter().any(|signer| signer == thumbprint) {
            return Ok(self);
        }
        Err(AdvertisementError::Untrusted { trusted: thumbprint.to_owned(), signers })
    }

    /// Thumbprints of the signing keys: what a person compares with `tang-show-keys` before trusting a server.
    pub fn signers(&self) -> Vec<String> {
        self.keys.keys.iter().filter(|key| key.may("verify")).map(Jwk::thumbprint).collect()
    }

    /// Whether a key of this thumbprint is offered for exchange; one that is not was retired.
    pub fn offers(&self, thumbprint: &str) -> bool {
        self.keys.keys.iter().any(|key| key.may("deriveKey") && key.is_named(thumbprint))
    }

    /// The key that new slots are bound to.
    pub(super) fn exchange_key(&self) -> Result<&Jwk, AdvertisementError> {
        self.keys.keys.iter().find(|key| key.may("deriveKey")).ok_or(AdvertisementError::NoExchangeKey)
    }

    pub(super) fn keys(&self) -> &JwkSet {
        &self.keys
    }
}

impl Signature {
    fn is_by(&self, key: &UnparsedPublicKey<Vec<u8>>, payload: &str) -> bool {
        let protected = BASE64_URL_SAFE_NO_PAD.decode(&self.protected).ok();
        let protected = protected.and_then(|bytes| serde_json::from_slice::<Protected>(&bytes).ok());
        // The algorithm is fixed by us; a header that says otherwise is of another protocol.
        if protected.is_none_or(|protected| protected.alg != "ES512") {
            return false;
        }
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(&self.signature) else { return false };
        key.verify(format!("{}.{payload}", self.protected).as_bytes(), &signature).is_ok()
    }
}
