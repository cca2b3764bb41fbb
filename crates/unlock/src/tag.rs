//! Delivery to a key in the TPM: the standard recipient `age1tag1…`, which anybody encrypts to and that one TPM opens.
//!
//! The stanza `p256tag` (C2SP, age) holds a tag, so that a file for others is told without asking the TPM, and an HPKE
//! message (RFC 9180, base mode) with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and `ChaCha20-Poly1305`. Of it only the
//! multiplication needs the key: `TPM2_ECDH_ZGen`, under the key's policy.

use std::sync::{Arc, Mutex, PoisonError};

use age::DecryptError;
use age_core::format::{FileKey, Stanza};
use aux_io::tpm::TpmAddress;
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::{Bech32, Hrp};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::random::Randomness;
use crate::tpm::{self, SealError, SignedPolicy, TpmError, TpmObject, digest, hmac};

const PREFIX: &str = "age1tag";
const STANZA: &str = "p256tag";
const INFO: &[u8] = b"age-encryption.org/p256tag";
const TAG_BYTES: usize = 4;
const FILE_KEY_BYTES: usize = 16;
/// `HPKE-v1`, and the suites of the key exchange and of the whole (RFC 9180, sections 4 and 5.1).
const KEM_SUITE: &[u8] = b"HPKE-v1KEM\x00\x10";
const SUITE: &[u8] = b"HPKE-v1HPKE\x00\x10\x00\x01\x00\x03";

/// A key in a TPM as an identity of age.
pub struct TagIdentity {
    address: TpmAddress,
    object: TpmObject,
    policies: Vec<SignedPolicy>,
    random: Randomness,
    compressed: [u8; 33],
    refusal: Arc<Mutex<Option<SealError>>>,
}

/// An object that is no key for delivery.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    #[error(transparent)]
    Tpm(#[from] TpmError),
    #[error("the key cannot be written as a recipient")]
    Recipient,
}

/// Whom to encrypt to so that this key opens it, `age1tag1…`.
pub fn recipient(object: &TpmObject) -> Result<String, TagError> {
    text(&tpm::public_key(object)?)
}

fn text(compressed: &[u8; 33]) -> Result<String, TagError> {
    let prefix = Hrp::parse(PREFIX).map_err(|_| TagError::Recipient)?;
    bech32::encode::<Bech32>(prefix, compressed).map_err(|_| TagError::Recipient)
}

impl TagIdentity {
    /// Takes a key that [`tpm::make_key`] made. The TPM is asked when something is opened, not now.
    pub fn new(
        address: TpmAddress,
        object: TpmObject,
        policies: Vec<SignedPolicy>,
        random: Randomness,
    ) -> Result<Self, TagError> {
        let compressed = tpm::public_key(&object)?;
        Ok(Self { address, object, policies, random, compressed, refusal: Arc::default() })
    }

    /// Whom to encrypt to, `age1tag1…`.
    pub fn recipient(&self) -> Result<String, TagError> {
        text(&self.compressed)
    }

    /// Why the TPM refused when something was last opened; age itself has no word for it.
    pub fn refusal(&self) -> Option<SealError> {
        self.refusals()()
    }

    /// The same for whoever has given the identity away.
    pub fn refusals(&self) -> impl Fn() -> Option<SealError> + Send + Sync + 'static {
        let refusal = Arc::clone(&self.refusal);
        move || refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The file key of a stanza that is for this key.
    fn open(&self, encapsulated: &[u8], sealed: &[u8]) -> Result<FileKey, DecryptError> {
        let shared = tpm::exchange(&self.address, &self.object, &self.policies, (encapsulated, &self.random));
        let shared = shared.map_err(|error| {
            self.refusal.lock().unwrap_or_else(PoisonError::into_inner).replace(error);
            DecryptError::DecryptionFailed
        })?;
        let recipient = tpm::uncompressed(&self.compressed).map_err(|_| DecryptError::DecryptionFailed)?;
        let mut plain = open_hpke(shared.as_ref(), &[encapsulated, &recipient].concat(), sealed)
            .filter(|plain| plain.len() == FILE_KEY_BYTES)
            .ok_or(DecryptError::DecryptionFailed)?;
        let key = FileKey::init_with_mut(|key| key.copy_from_slice(&plain));
        plain.zeroize();
        Ok(key)
    }

    /// Whether a stanza's tag is that of this key.
    fn is_mine(&self, encapsulated: &[u8], tag: &[u8]) -> bool {
        let own = digest(&[&self.compressed]);
        let (own, _) = own.split_at(TAG_BYTES);
        let expected = hmac(INFO, &[encapsulated, own]);
        let (expected, _) = expected.split_at(TAG_BYTES);
        expected.ct_eq(tag).into()
    }
}

impl age::Identity for TagIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA {
            return None;
        }
        let [tag, encapsulated] = stanza.args.as_slice() else { return Some(Err(DecryptError::InvalidHeader)) };
        let (Ok(tag), Ok(encapsulated)) =
            (BASE64_STANDARD_NO_PAD.decode(tag), BASE64_STANDARD_NO_PAD.decode(encapsulated))
        else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        self.is_mine(&encapsulated, &tag).then(|| self.open(&encapsulated, &stanza.body))
    }
}

/// Opens the one message of an HPKE context in base mode, given the coordinate that both sides share.
fn open_hpke(shared: &[u8], context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let extracted = Zeroizing::new(hmac(&[0; 32], &[KEM_SUITE, b"eae_prk", shared]));
    let secret = expand(extracted.as_ref(), KEM_SUITE, b"shared_secret", (context, 32));
    let nothing = hmac(&[0; 32], &[SUITE, b"psk_id_hash"]);
    let info = hmac(&[0; 32], &[SUITE, b"info_hash", INFO]);
    let schedule = [&[0], nothing.as_slice(), info.as_slice()].concat();
    let secret = Zeroizing::new(hmac(secret.as_ref(), &[SUITE, b"secret"]));
    let key = expand(secret.as_ref(), SUITE, b"key", (&schedule, 32));
    let nonce = expand(secret.as_ref(), SUITE, b"base_nonce", (&schedule, 12));
    let nonce: [u8; NONCE_LEN] = *nonce.first_chunk()?;
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok()?);
    let mut plain = Zeroizing::new(sealed.to_vec());
    let length = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// `LabeledExpand` (RFC 9180, section 4), of one block; the length is part of what is hashed.
fn expand(secret: &[u8], suite: &[u8], label: &[u8], (info, length): (&[u8], u16)) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hmac(secret, &[&length.to_be_bytes(), suite, label, info, &[1]]))
}
