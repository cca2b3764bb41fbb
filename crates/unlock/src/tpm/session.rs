//! Sessions: the salted secret that program and TPM share, which proves each message and encrypts its first parameter.
//!
//! The salt goes to the storage root key, which was pinned when the slot was made. Who sits on the wires between can
//! then neither read what is unsealed nor pretend to be the TPM (part 1, sections 19.6 and 21).

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, StreamingDecryptingKey, StreamingEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::error::TpmError;
use super::key_derivation::{Digest, from_exchange, from_key, hmac};
use super::public::Point;
use crate::random::Randomness;

const AES_KEY_BYTES: usize = 16;

/// One session. It belongs to one TPM and is flushed with it.
pub(super) struct Session {
    pub(super) handle: u32,
    key: Zeroizing<Digest>,
    pub(super) nonce_caller: Digest,
    pub(super) nonce_tpm: Vec<u8>,
}

/// A salt on its way to a TPM: what is sent, and the salt itself.
pub(super) struct Salt {
    pub(super) sent: Point,
    pub(super) salt: Zeroizing<Digest>,
}

impl Salt {
    /// Makes a salt that only the holder of this key finds again (part 1, annex C.6.1).
    pub(super) fn to(key: &Point, random: &Randomness) -> Result<Self, TpmError> {
        let public = key.projective()?;
        let mut ephemeral = scalar(random)?;
        let sent = Point::of_projective(&(ProjectivePoint::GENERATOR * ephemeral))?;
        let shared = Point::of_projective(&(public * ephemeral));
        ephemeral.zeroize();
        let mut shared = shared?;
        let salt = from_exchange(&shared.x, "SECRET", &sent.x, &key.x);
        shared.x.zeroize();
        Ok(Self { sent, salt })
    }
}

impl Session {
    /// The session that a TPM began with these nonces (part 1, section 19.6.8).
    pub(super) fn begun(handle: u32, salt: &Salt, nonce_caller: Digest, nonce_tpm: Vec<u8>) -> Self {
        let key = from_key(salt.salt.as_ref(), "ATH", &nonce_tpm, &nonce_caller);
        Self { handle, key, nonce_caller, nonce_tpm }
    }

    /// What proves a command: over its parameters, both nonces and the attributes. Nothing that we use has a password.
    pub(super) fn prove(&self, parameters: &Digest, attributes: u8) -> Digest {
        hmac(self.key.as_ref(), &[parameters, &self.nonce_caller, &self.nonce_tpm, &[attributes]])
    }

    /// Takes the TPM's new nonce, and whether its answer is proved.
    pub(super) fn is_proved(&mut self, parameters: &Digest, nonce_tpm: &[u8], attributes: u8, proof: &[u8]) -> bool {
        nonce_tpm.clone_into(&mut self.nonce_tpm);
        let expected = hmac(self.key.as_ref(), &[parameters, &self.nonce_tpm, &self.nonce_caller, &[attributes]]);
        expected.ct_eq(proof).into()
    }

    /// Encrypts a parameter of a command in place.
    pub(super) fn encrypt(&self, bytes: &mut [u8]) -> Result<(), TpmError> {
        let (key, iv) = self.cipher(&self.nonce_caller, &self.nonce_tpm);
        encrypt(key.as_ref(), iv, bytes).ok_or(TpmError::Forged { command: "encryption" })
    }

    /// Decrypts a parameter of an answer in place.
    pub(super) fn decrypt(&self, bytes: &mut [u8]) -> Result<(), TpmError> {
        let (key, iv) = self.cipher(&self.nonce_tpm, &self.nonce_caller);
        decrypt(key.as_ref(), iv, bytes).ok_or(TpmError::Forged { command: "decryption" })
    }

    fn cipher(&self, newer: &[u8], older: &[u8]) -> (Zeroizing<[u8; AES_KEY_BYTES]>, [u8; AES_KEY_BYTES]) {
        let both = from_key(self.key.as_ref(), "CFB", newer, older);
        let (first, second) = both.split_at(AES_KEY_BYTES);
        let (mut key, mut iv) = (Zeroizing::new([0; AES_KEY_BYTES]), [0; AES_KEY_BYTES]);
        key.copy_from_slice(first);
        iv.copy_from_slice(second);
        (key, iv)
    }
}

fn encrypt(key: &[u8], iv: [u8; AES_KEY_BYTES], bytes: &mut [u8]) -> Option<()> {
    let key = UnboundCipherKey::new(&AES_128, key).ok()?;
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    let mut stream = StreamingEncryptingKey::less_safe_cfb128(key, context).ok()?;
    let mut out = Zeroizing::new(vec![0; bytes.len() + AES_KEY_BYTES]);
    let written = stream.update(bytes, &mut out).ok()?.written().len();
    let (_, last) = stream.finish(out.get_mut(written..)?).ok()?;
    let total = written + last.written().len();
    bytes.copy_from_slice(out.get(..total)?);
    Some(())
}

fn decrypt(key: &[u8], iv: [u8; AES_KEY_BYTES], bytes: &mut [u8]) -> Option<()> {
    let key = UnboundCipherKey::new(&AES_128, key).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let mut stream = StreamingDecryptingKey::cfb128(key, context).ok()?;
    let mut out = Zeroizing::new(vec![0; bytes.len() + AES_KEY_BYTES]);
    let written = stream.update(bytes, &mut out).ok()?.written().len();
    let last = stream.finish(out.get_mut(written..)?).ok()?;
    let total = written + last.written().len();
    bytes.copy_from_slice(out.get(..total)?);
    Some(())
}

/// A scalar by rejection (FIPS 186-5, appendix A.2.2).
fn scalar(random: &Randomness) -> Result<Scalar, TpmError> {
    loop {
        let bytes = random.bytes::<32>()?;
        let scalar: Option<Scalar> = Scalar::from_repr(*FieldBytes::from_slice(bytes.as_ref())).into();
        if let Some(scalar) = scalar.and_then(|scalar| Option::<NonZeroScalar>::from(NonZeroScalar::new(scalar))) {
            return Ok(*scalar);
        }
    }
}

impl Point {
    pub(super) fn of_projective(point: &ProjectivePoint) -> Result<Self, TpmError> {
        let encoded = point.to_affine().to_encoded_point(false);
        let (Some(x), Some(y)) = (encoded.x(), encoded.y()) else { return Err(TpmError::Point) };
        Ok(Self { x: (*x).into(), y: (*y).into() })
    }
}
