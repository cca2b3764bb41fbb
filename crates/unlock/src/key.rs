//! The slot key: what every slot of a file gives back, and the age identity that follows from it.

use std::str::FromStr;

use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::memory::{MemoryError, SecretBytes};
use crate::random::{NoRandomness, Randomness};
use crate::shamir::SECRET_BYTES;
use crate::wrap;

/// What the age identity's key is derived under.
const IDENTITY_LABEL: &str = "age-x25519";
const IDENTITY_PREFIX: &str = "age-secret-key-";

/// 32 bytes on a page of their own. It has neither `Debug` nor `Display` nor `Clone`.
pub struct SlotKey(SecretBytes);

/// Why there is no slot key.
#[derive(Debug, thiserror::Error)]
pub enum SlotKeyError {
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the key cannot be derived")]
    Derivation,
}

impl SlotKey {
    pub fn generate(random: &Randomness) -> Result<Self, SlotKeyError> {
        let mut bytes = random.bytes::<SECRET_BYTES>()?;
        Ok(Self(SecretBytes::take(bytes.as_mut())?))
    }

    pub(crate) fn take(bytes: &mut [u8]) -> Result<Self, MemoryError> {
        SecretBytes::take(bytes).map(Self)
    }

    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// A further key of 32 bytes for what the label names (HKDF, docs/formats/slots.md).
    pub fn derive(&self, label: &str) -> Result<SecretBytes, SlotKeyError> {
        let mut key = wrap::derive(self.expose(), label).ok_or(SlotKeyError::Derivation)?;
        Ok(SecretBytes::take(key.as_mut())?)
    }

    /// The identity that a machine's scope file is addressed to.
    pub fn identity(&self) -> Result<age::x25519::Identity, SlotKeyError> {
        age::x25519::Identity::from_str(&self.identity_text()?).map_err(|_| SlotKeyError::Derivation)
    }

    /// The same as age prints it, `AGE-SECRET-KEY-1…`.
    pub fn identity_text(&self) -> Result<Zeroizing<String>, SlotKeyError> {
        let key = self.derive(IDENTITY_LABEL)?;
        let prefix = Hrp::parse(IDENTITY_PREFIX).map_err(|_| SlotKeyError::Derivation)?;
        let text = bech32::encode_upper::<Bech32>(prefix, key.expose()).map_err(|_| SlotKeyError::Derivation)?;
        Ok(Zeroizing::new(text))
    }

    /// Whom to encrypt to so that this key opens it: `age1…`.
    pub fn recipient(&self) -> Result<String, SlotKeyError> {
        Ok(self.identity()?.to_public().to_string())
    }
}
