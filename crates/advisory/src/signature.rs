//! Whether a clear-signed text was signed by a key one trusts (`OpenPGP`, RFC 9580).

use std::str;
use std::time::SystemTime;

use aux_core::limits;
use jiff::Timestamp;
use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use crate::signed_text::SignedText;

const BEGIN_KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Who signed, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Of the primary key, lower-case hexadecimal.
    pub fingerprint: String,
    /// What the key says of its owner, as bound by the key itself.
    pub user_ids: Vec<String>,
    pub signed: Timestamp,
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("not an armored signature: {0}")]
    Signature(String),
    #[error("not an armored public key: {0}")]
    Key(String),
    #[error("the public keys are longer than {} bytes", limits::PUBLIC_KEYS_BYTES_MAX)]
    KeysTooLong,
    #[error("it is made with {0}, which can be forged; the text needs a signature made with SHA-256 or stronger")]
    WeakHash(String),
    #[error("it is not made by the key given, but by {0}")]
    OtherKey(String),
    #[error("key {0} is revoked")]
    Revoked(String),
    #[error("key {0} had expired when the signature was made")]
    Expired(String),
    #[error("key {0} may not sign")]
    NotForSigning(String),
    #[error("it does not fit the text: one of them was changed")]
    Invalid,
}

impl SignedText {
    /// Proves that one of the armored keys made a signature over exactly this text.
    ///
    /// Keys are judged as of the time of the signature, since nothing here knows the clock.
    pub fn verify(&self, armored_public_key: &[u8]) -> Result<Signer, SignatureError> {
        let keys = keys(armored_public_key)?;
        let mut refusal = None;
        for signature in signatures(&self.signature)? {
            match check(&signature, &keys, &self.text) {
                Ok(signer) => return Ok(signer),
                // A signature by the right key that fails says more than one by a stranger.
                Err(error) if refusal.is_none() || matches!(refusal, Some(SignatureError::OtherKey(_))) => {
                    refusal = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(refusal.unwrap_or_else(|| SignatureError::Signature("the block holds none".to_owned())))
    }
}

/// Hashes whose signatures cannot be forged.
const STRONG: [HashAlgorithm; 5] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha384,
    HashAlgorithm::Sha512,
    HashAlgorithm::Sha3_256,
    HashAlgorithm::Sha3_512,
];

impl SignedText {
    /// Why no key whatever could make these signatures count: all are malformed or made with a weak hash.
    pub fn weakness(&self) -> Option<SignatureError> {
        let signatures = match signatures(&self.signature) {
            Ok(signatures) => signatures,
            Err(error) => return Some(error),
        };
        let mut weakness = SignatureError::Signature("the block holds none".to_owned());
        for signature in signatures {
            match signature.hash_alg() {
                Some(hash) if STRONG.contains(&hash) => return None,
                Some(hash) => weakness = SignatureError::WeakHash(hash.to_string()),
                None => weakness = SignatureError::Signature("it names no hash".to_owned()),
            }
        }
        Some(weakness)
    }
}

fn keys(armored: &[u8]) -> Result<Vec<SignedPublicKey>, SignatureError> {
    if armored.len() > limits::PUBLIC_KEYS_BYTES_MAX {
        return Err(SignatureError::KeysTooLong);
    }
    let refused = |error: pgp::errors::Error| SignatureError::Key(error.to_string());
    let text = str::from_utf8(armored).map_err(|_| SignatureError::Key("it is not text".to_owned()))?;
    // A file of several keys may be several blocks in a row, of which the reader would see the first alone.
    let mut keys = Vec::new();
    for (start, _) in text.match_indices(BEGIN_KEY) {
        let block = text.get(start..).unwrap_or_default();
        let end = block.get(BEGIN_KEY.len()..).and_then(|rest| rest.find(BEGIN_KEY)).map(|end| end + BEGIN_KEY.len());
        let block = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        let (found, _) = SignedPublicKey::from_armor_many(block.as_bytes()).map_err(refused)?;
        for key in found {
            keys.push(key.map_err(refused)?);
        }
    }
    if keys.is_empty() { Err(SignatureError::Key("no key block is there".to_owned())) } else { Ok(keys) }
}

fn signatures(armored: &str) -> Result<Vec<Signature>, SignatureError> {
    let refused = |error: pgp::errors::Error| SignatureError::Signature(error.to_string());
    let (found, _) = DetachedSignature::from_armor_many(armored.as_bytes()).map_err(refused)?;
    found.map(|one| one.map(|one| one.signature).map_err(refused)).collect()
}

fn check(signature: &Signature, keys: &[SignedPublicKey], text: &[u8]) -> Result<Signer, SignatureError> {
    let malformed = |what: &str| SignatureError::Signature(what.to_owned());
    if !matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary)) {
        return Err(malformed("it is not one over a text"));
    }
    let hash = signature.hash_alg().ok_or_else(|| malformed("it names no hash"))?;
    if !STRONG.contains(&hash) {
        return Err(SignatureError::WeakHash(hash.to_string()));
    }
    let signed = signature.created().map(SystemTime::from).ok_or_else(|| malformed("it has no date"))?;
    for key in keys {
        if is_by(signature, &key.primary_key) {
            may_sign(key, signed, true)?;
            signature.verify(&key.primary_key, text).map_err(|_| SignatureError::Invalid)?;
            return signer(key, signed);
        }
        if let Some(subkey) = key.public_subkeys.iter().find(|subkey| is_by(signature, &subkey.key)) {
            may_sign(key, signed, false)?;
            subkey_may_sign(key, subkey, signed)?;
            signature.verify(&subkey.key, text).map_err(|_| SignatureError::Invalid)?;
            return signer(key, signed);
        }
    }
    let issuers: Vec<String> = signature.issuer_key_id().into_iter().map(ToString::to_string).collect();
    Err(SignatureError::OtherKey(if issuers.is_empty() { "an unnamed one".to_owned() } else { issuers.join(", ") }))
}

/// Whether the signature names the key as its maker; the proof comes after.
fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        signature.issuer_key_id().contains(&&key.legacy_key_id())
    } else {
        fingerprints.contains(&&key.fingerprint())
    }
}

fn fingerprint(key: &impl KeyDetails) -> String {
    format!("{:x}", key.fingerprint())
}

/// The key's own statements about itself that its signature proves, newest first.
fn self_signatures(key: &SignedPublicKey) -> Vec<&Signature> {
    let primary = &key.primary_key;
    let by_user = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|one| {
            is_by(one, primary)
                && one.is_certification()
                && one.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    let direct = key.details.direct_signatures.iter().filter(|one| one.verify_key(primary).is_ok());
    let mut proven: Vec<&Signature> = by_user.chain(direct).collect();
    proven.sort_by_key(|one| std::cmp::Reverse(one.created()));
    proven
}

/// Refuses a key that is revoked, was not valid when it signed, or (where it signs itself) is not meant to.
fn may_sign(key: &SignedPublicKey, signed: SystemTime, itself: bool) -> Result<(), SignatureError> {
    let name = fingerprint(&key.primary_key);
    if !key.details.revocation_signatures.is_empty() {
        return Err(SignatureError::Revoked(name));
    }
    let proven = self_signatures(key);
    let Some(newest) = proven.first() else {
        return Err(SignatureError::Key(format!("{name} does not vouch for itself")));
    };
    if is_expired(&key.primary_key, newest, signed) {
        return Err(SignatureError::Expired(name));
    }
    // A key without flags may do all its algorithm can.
    let flags = newest.key_flags();
    if itself && flags.certify() && !flags.sign() {
        return Err(SignatureError::NotForSigning(name));
    }
    Ok(())
}

fn subkey_may_sign(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    signed: SystemTime,
) -> Result<(), SignatureError> {
    let name = fingerprint(&subkey.key);
    if subkey.signatures.iter().any(|one| one.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(SignatureError::Revoked(name));
    }
    // Checks the binding by the primary key and, for signing keys, the one back.
    subkey.verify_bindings(&key.primary_key).map_err(|error| SignatureError::Key(error.to_string()))?;
    match subkey.signatures.iter().max_by_key(|one| one.created()) {
        Some(newest) if is_expired(&subkey.key, newest, signed) => Err(SignatureError::Expired(name)),
        Some(newest) if newest.key_flags().sign() => Ok(()),
        _ => Err(SignatureError::NotForSigning(name)),
    }
}

/// Whether the key, by what `statement` says of it, was not yet or no longer valid.
fn is_expired(key: &impl KeyDetails, statement: &Signature, signed: SystemTime) -> bool {
    let created = SystemTime::from(key.created_at());
    let age = signed.duration_since(created).ok().map(|age| age.as_secs());
    // Zero means that it never expires (RFC 9580, section 5.2.3.13).
    let lifetime = statement.key_expiration_time().map(|time| u64::from(time.as_secs())).filter(|seconds| *seconds > 0);
    age.is_none_or(|age| lifetime.is_some_and(|lifetime| age >= lifetime))
}

fn signer(key: &SignedPublicKey, signed: SystemTime) -> Result<Signer, SignatureError> {
    let primary = &key.primary_key;
    let bound = key.details.users.iter().filter(|user| {
        user.signatures
            .iter()
            .any(|one| is_by(one, primary) && one.verify_certification(primary, Tag::UserId, &user.id).is_ok())
    });
    Ok(Signer {
        fingerprint: fingerprint(primary),
        user_ids: bound.map(|user| String::from_utf8_lossy(user.id.id()).into_owned()).collect(),
        signed: Timestamp::try_from(signed).map_err(|error| SignatureError::Signature(error.to_string()))?,
    })
}
