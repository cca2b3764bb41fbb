//! Secret keys: they sign, are wiped from memory, and have neither `Debug` nor `Display`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::{KeyError, KeyName, PublicKey, Signature};

/// Of what Nix keeps: the seed of RFC 8032, then the public key.
const LENGTH: usize = 64;
/// Of the seed.
pub(super) const SEED_LENGTH: usize = 32;
/// What decoding 88 characters of base64 may need on the way.
const DECODED_LENGTH: usize = 66;

/// A key that signs, as `nix-store --generate-binary-cache-key` makes it.
pub struct SecretKey {
    public: PublicKey,
    seed: Zeroizing<[u8; SEED_LENGTH]>,
    /// The library wipes its copy too.
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// A key out of 32 random bytes, which only the caller can have.
    pub fn new(name: KeyName, seed: Zeroizing<[u8; SEED_LENGTH]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| KeyError::Bytes { what: "the seed", length: SEED_LENGTH })?;
        let bytes = pair.public_key().as_ref().try_into();
        let bytes = bytes.map_err(|_| KeyError::Bytes { what: "the public key", length: SEED_LENGTH })?;
        Ok(Self { public: PublicKey { name, bytes }, seed, pair })
    }

    /// Reads `name:base64` of 64 bytes; a line feed at the end is no part of it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, encoded) = KeyName::split(text.trim_ascii_end())?;
        let wrong = || KeyError::Bytes { what: "the secret key", length: LENGTH };
        let mut bytes = Zeroizing::new([0; DECODED_LENGTH]);
        let fits = BASE64.decode_slice(encoded, bytes.as_mut_slice()).is_ok_and(|length| length == LENGTH);
        let halves = bytes.split_first_chunk::<SEED_LENGTH>().filter(|_| fits);
        let (seed, public) = halves.ok_or_else(wrong)?;
        let key = Self::new(name, Zeroizing::new(*seed))?;
        if public.starts_with(&key.public.bytes) {
            Ok(key)
        } else {
            Err(KeyError::Halves { name: key.public.name.to_string() })
        }
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; LENGTH];
        // A signature of Ed25519 has 64 bytes; `zip` spares a panic that cannot be.
        for (to, from) in bytes.iter_mut().zip(self.pair.sign(message).as_ref()) {
            *to = *from;
        }
        Signature { key: self.public.name.clone(), bytes }
    }

    /// The key as its file has it, for that file alone.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        for (to, from) in bytes.iter_mut().zip(self.seed.iter().chain(&self.public.bytes)) {
            *to = *from;
        }
        let encoded = Zeroizing::new(BASE64.encode(bytes.as_slice()));
        Zeroizing::new(format!("{}:{}", self.public.name, encoded.as_str()))
    }
}
