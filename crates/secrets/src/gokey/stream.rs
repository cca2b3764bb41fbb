//! The bytes gokey reads: AES-256 in counter mode from zero.

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::GokeyError;
use crate::secret::SecretBytes;

const ROUNDS: u32 = 4_096;
const SEED_BYTES: usize = 256;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

pub(super) struct Stream(ctr::Ctr128BE<Aes256>);

impl Stream {
    fn of_key(key: &[u8; 32]) -> Self {
        Self(ctr::Ctr128BE::new(key.into(), &[0; 16].into()))
    }

    /// Without a seed.
    pub(super) fn of_password(master: &SecretBytes, realm: &str) -> Self {
        Self::of_key(&password_key(master, realm.as_bytes()))
    }

    /// With a seed, as versions before 0.2.0 used it: authenticated, and then only its nonce and tag were taken.
    pub(super) fn of_legacy_seed(master: &SecretBytes, realm: &str, seed: &SecretBytes) -> Result<Self, GokeyError> {
        let seed = seed.reveal();
        let wrong = || GokeyError::SeedLength { bytes: seed.len(), expected: SEED_BYTES };
        if seed.len() != SEED_BYTES {
            return Err(wrong());
        }
        let (nonce, sealed) = seed.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
        let tag = sealed.last_chunk::<TAG_BYTES>().ok_or_else(wrong)?;
        let cipher = Aes256Gcm::new(&(*password_key(master, nonce)).into());
        let opened = cipher.decrypt(Nonce::from_slice(nonce), sealed).map_err(|_| GokeyError::SeedPassword)?;
        drop(Zeroizing::new(opened));
        // The defect: where the opened seed belongs stand zeroes.
        let mut unwrapped = Zeroizing::new([0; SEED_BYTES]);
        unwrapped.split_at_mut(NONCE_BYTES).0.copy_from_slice(nonce);
        unwrapped.split_at_mut(SEED_BYTES - TAG_BYTES).1.copy_from_slice(tag);
        let mut key = Zeroizing::new([0; 32]);
        let salt = [&nonce[..], &tag[..]].concat();
        // 32 bytes are never too many.
        Hkdf::<Sha256>::new(Some(&salt), unwrapped.as_slice()).expand(realm.as_bytes(), key.as_mut_slice()).ok();
        Ok(Self::of_key(&key))
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.0.apply_keystream(bytes);
    }

    pub(super) fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.fill(&mut byte);
        let [byte] = byte;
        byte
    }

    pub(super) fn take(&mut self, length: usize) -> SecretBytes {
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.fill(&mut bytes);
        SecretBytes::from(bytes.as_slice())
    }
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018), one block of output.
fn password_key(master: &SecretBytes, salt: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // HMAC takes keys of every length.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(master.reveal()) else { return key };
    let mut block: [u8; 32] =
        keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize().into_bytes().into();
    key.copy_from_slice(&block);
    for _ in 1..ROUNDS {
        block = keyed.clone().chain_update(block).finalize().into_bytes().into();
        for (sum, byte) in key.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    key
}
