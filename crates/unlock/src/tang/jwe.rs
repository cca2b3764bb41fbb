//! The compact form of JSON Web Encryption (RFC 7516), as clevis writes it: `ECDH-ES` or `dir`, with `A256GCM`.

use aux_core::limits::JWE_BYTES_MAX;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::exchange::Shared;

const TAG_BYTES: usize = 16;
/// The one way of encrypting that clevis uses.
pub(super) const ENCRYPTION: &str = "A256GCM";

/// A JWE taken apart; the header is what its `clevis` fields make of it.
#[derive(Debug, Clone)]
pub(super) struct Jwe<'text> {
    /// The header as it was written: it is authenticated in this form.
    protected: &'text str,
    nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag.
    sealed: Vec<u8>,
}

/// A key that content is encrypted with.
pub(super) type ContentKey = Zeroizing<[u8; 32]>;

/// What is no JWE, or does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    #[error("{bytes} bytes, more than the {JWE_BYTES_MAX} allowed (JWE_BYTES_MAX)")]
    TooLong { bytes: usize },
    #[error("not a JWE in compact form: {cause}")]
    Syntax { cause: String },
    #[error("its header is not one of clevis: {cause}")]
    Header { cause: String },
    #[error("encrypted by {algorithm} and {encryption}, where clevis has ECDH-ES or dir and {ENCRYPTION}")]
    Algorithm { algorithm: String, encryption: String },
    #[error("it does not open: it was changed, or the key is another")]
    Sealed,
}

impl<'text> Jwe<'text> {
    /// Takes the five parts apart.
    pub(super) fn parse(text: &'text str) -> Result<Self, JweError> {
        let syntax = |cause: &str| JweError::Syntax { cause: cause.to_owned() };
        let text = text.trim_ascii();
        if text.len() > JWE_BYTES_MAX {
            return Err(JweError::TooLong { bytes: text.len() });
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [protected, encrypted_key, nonce, ciphertext, tag] = *parts.as_slice() else {
            return Err(syntax("it has not five parts"));
        };
        if !encrypted_key.is_empty() {
            return Err(syntax("it has an encrypted key, which these algorithms have not"));
        }
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| syntax(&error.to_string()));
        let nonce = decode(nonce)?.try_into().map_err(|_| syntax("the nonce has not 96 bits"))?;
        let (mut sealed, tag) = (decode(ciphertext)?, decode(tag)?);
        if tag.len() != TAG_BYTES {
            return Err(syntax("the tag has not 128 bits"));
        }
        sealed.extend(tag);
        Ok(Self { protected, nonce, sealed })
    }

    /// The header, as far as the caller's type reads it.
    pub(super) fn header<Header: DeserializeOwned>(&self) -> Result<Header, JweError> {
        let wrong = |cause: String| JweError::Header { cause };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(self.protected).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
    }

    /// What is inside.
    pub(super) fn open(&self, key: &ContentKey) -> Result<Zeroizing<Vec<u8>>, JweError> {
        let mut sealed = Zeroizing::new(self.sealed.clone());
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let opened = aes(key)?.open_in_place(nonce, Aad::from(self.protected.as_bytes()), &mut sealed);
        let length = opened.map_err(|_| JweError::Sealed)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// Writes a JWE. Each key encrypts once, so that any nonce will do; a random one is what others expect.
pub(super) fn seal(header: &str, key: &ContentKey, nonce: [u8; NONCE_LEN], plain: &[u8]) -> Result<String, JweError> {
    let protected = BASE64_URL_SAFE_NO_PAD.encode(header);
    let mut sealed = Zeroizing::new(plain.to_vec());
    let aad = Aad::from(protected.as_bytes());
    let tag = aes(key)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
        .map_err(|_| JweError::Sealed)?;
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Ok(format!("{protected}..{}.{}.{}", encode(&nonce), encode(&sealed), encode(tag.as_ref())))
}

/// The key of `ECDH-ES` in direct agreement: one round of Concat KDF (RFC 7518, section 4.6.2), with no party named.
pub(super) fn agreed_key(shared: &Shared) -> ContentKey {
    const KEY_BITS: u32 = 256;
    let mut context = Context::new(&SHA256);
    context.update(&1_u32.to_be_bytes());
    context.update(shared.as_ref());
    context.update(&u32::try_from(ENCRYPTION.len()).unwrap_or(u32::MAX).to_be_bytes());
    context.update(ENCRYPTION.as_bytes());
    context.update(&0_u32.to_be_bytes());
    context.update(&0_u32.to_be_bytes());
    context.update(&KEY_BITS.to_be_bytes());
    let mut key = ContentKey::default();
    key.copy_from_slice(context.finish().as_ref());
    key
}

fn aes(key: &ContentKey) -> Result<LessSafeKey, JweError> {
    // The key has the right length by its type; the library checks it once more.
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| JweError::Sealed)?;
    Ok(LessSafeKey::new(key))
}
