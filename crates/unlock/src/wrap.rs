//! Wrapping by a slot's secret, bound to the machine, the slot's name and kind, and the generation of the file.
//!
//! A slot moved to another file, place or machine gives a key for another binding, and opens nothing.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::random::{NoRandomness, Randomness};
use crate::shamir::Secret;

/// What every binding and derivation begins with: a new meaning needs a new version.
pub(crate) const VERSION: &str = "aux.slots/1";

/// What something wrapped is bound to, as bytes that can be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding(Vec<u8>);

impl Binding {
    pub(crate) fn new(machine: &str, path: &str, kind: &str, generation: u32) -> Self {
        let mut bytes = encoded(&[VERSION, machine, path, kind]);
        bytes.extend(generation.to_be_bytes());
        Self(bytes)
    }
}

/// Wraps a key or a share: nonce, ciphertext and tag.
pub(crate) fn wrap(
    secret: &Secret,
    binding: &Binding,
    plain: &[u8],
    random: &Randomness,
) -> Result<Vec<u8>, NoRandomness> {
    let nonce = random.bytes::<NONCE_LEN>()?;
    let mut sealed = plain.to_vec();
    let nonced = Nonce::assume_unique_for_key(*nonce);
    // The library refuses lengths near 256 GiB alone, and a key of another length, which the type rules out.
    let tag = key(secret, binding)
        .and_then(|key| key.seal_in_place_separate_tag(nonced, Aad::from(&binding.0), &mut sealed).ok());
    let tag = tag.map(|tag| tag.as_ref().to_vec()).unwrap_or_default();
    Ok([nonce.as_slice(), &sealed, &tag].concat())
}

/// What was wrapped; `None` where it was changed, or the secret or the binding is another.
pub(crate) fn unwrap(secret: &Secret, binding: &Binding, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key(secret, binding)?.open_in_place(nonce, Aad::from(&binding.0), &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

/// A further key of one, for what this label names.
pub(crate) fn derive(secret: &[u8], label: &str) -> Option<Secret> {
    expand(secret, &encoded(&[VERSION, "derive", label]))
}

fn key(secret: &Secret, binding: &Binding) -> Option<LessSafeKey> {
    let key = expand(secret.as_ref(), &binding.0)?;
    UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok().map(LessSafeKey::new)
}

/// HKDF (RFC 5869) with SHA-256, and the version as its salt.
fn expand(secret: &[u8], context: &[u8]) -> Option<Secret> {
    let mut key = Secret::default();
    let length = key.len();
    let extracted = Salt::new(HKDF_SHA256, VERSION.as_bytes()).extract(secret);
    extracted.expand(&[context], Length(length)).ok()?.fill(key.as_mut()).ok()?;
    Some(key)
}

/// Fields, each behind its length of 16 bits.
fn encoded(fields: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend(u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(field.as_bytes());
    }
    bytes
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_opens_for_its_own_binding_alone() {
        let random = Randomness::new(|bytes| {
            bytes.fill(7);
            Ok(())
        });
        let secret = Secret::new([1; 32]);
        let binding = |machine, path, kind, generation| Binding::new(machine, path, kind, generation);
        let own = binding("web-1", "tpm", "tpm2", 1);
        let wrapped = wrap(&secret, &own, b"key", &random).unwrap();
        assert_eq!(unwrap(&secret, &own, &wrapped).unwrap().as_slice(), b"key");
        let others = [
            binding("web-2", "tpm", "tpm2", 1),
            binding("web-1", "tpn", "tpm2", 1),
            binding("web-1", "tpm", "tang", 1),
            binding("web-1", "tpm", "tpm2", 2),
            binding("web-1t", "pm", "tpm2", 1),
        ];
        assert!(others.iter().all(|other| unwrap(&secret, other, &wrapped).is_none()));
        assert!(unwrap(&Secret::new([2; 32]), &own, &wrapped).is_none());
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert!(unwrap(&secret, &own, &changed).is_none());
            assert!(unwrap(&secret, &own, &wrapped[..index]).is_none());
        }
    }

    #[test]
    fn a_derived_key_is_that_of_any_hkdf() {
        // Computed with Python's hmac: extract with salt "aux.slots/1", expand with the three length-prefixed fields.
        let key = derive(&[1; 32], "age-x25519").unwrap();
        assert_eq!(
            aux_core::hexadecimal(key.as_ref()),
            "b83da9132733753ce1ddb9941d0aa15b2bf473330df1b19e8845079a21b55c4c"
        );
    }
}
