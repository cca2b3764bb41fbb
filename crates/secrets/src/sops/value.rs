//! One value as sops encrypts it: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, bound to its place by what is authenticated with it.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Key, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::SecretBytes;

const START: &str = "ENC[AES256_GCM,";
/// sops draws nonces of this length, where AES-GCM usually has 12.
const NONCE_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// Whether a text is a value that sops has encrypted.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.starts_with(START) && text.ends_with(']')
}

/// The key that all values of a file are encrypted with.
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(super) fn of(bytes: &SecretBytes) -> Option<Self> {
        bytes.reveal().try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// What is in a value, and its type. The error never holds any of it.
    pub(super) fn open(&self, text: &str, place: &str) -> Result<(SecretBytes, String), &'static str> {
        let inner = text.strip_prefix(START).and_then(|text| text.strip_suffix(']'));
        let mut fields = inner.ok_or("is not encrypted as sops does it")?.split(',');
        let mut field = |name: &str| fields.next()?.strip_prefix(name);
        let shape = "is not of the form data, iv, tag, type";
        let (data, nonce, tag, kind) =
            (|| Some((field("data:")?, field("iv:")?, field("tag:")?, field("type:")?)))().ok_or(shape)?;
        if fields.next().is_some() {
            return Err(shape);
        }
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| "is not base64");
        let (nonce, tag) = (decoded(nonce)?, decoded(tag)?);
        if nonce.len() != NONCE_BYTES || tag.len() != TAG_BYTES {
            return Err("has a nonce that is not of 32 bytes, or a tag that is not of 16");
        }
        let mut bytes = Zeroizing::new(decoded(data)?);
        let cipher: AesGcm<Aes256, U32> = AesGcm::new(Key::<Aes256>::from_slice(self.0.as_slice()));
        let opened = cipher.decrypt_in_place_detached(
            Nonce::<U32>::from_slice(&nonce),
            place.as_bytes(),
            &mut bytes,
            Tag::from_slice(&tag),
        );
        opened.map_err(|_| "does not open: it was changed, or moved from another place")?;
        Ok((SecretBytes::from(bytes.as_slice()), kind.to_owned()))
    }
}
