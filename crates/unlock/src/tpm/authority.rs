//! The key that signs policies, and the signatures it gives: a slot bound to it stays valid when the system is updated.

use aux_core::hexadecimal;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use zeroize::Zeroizing;

use super::constant::{ALG_ECDSA, ALG_RSASSA, ALG_SHA256, LOAD_EXTERNAL, RH_OWNER, VERIFY_SIGNATURE};
use super::device::{Authorization, Command, Handle, Tpm};
use super::error::TpmError;
use super::key_derivation::{Digest, digest};
use super::policy::{Statement, authorized_digest};
use super::public::{self, Name, Point, is_rsa, signing_area_p256, signing_area_rsa};
use super::wire::{Reader, Writer};

/// Bytes of either half of a signature on P-256.
const HALF_BYTES: usize = 32;

/// The public half of a key that signs policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyKey {
    /// The public area that a TPM loads it by.
    area: Vec<u8>,
}

/// The private half: P-256 or RSA, in PKCS #8. It has neither `Debug` nor `Clone`.
pub struct PolicySigner(Signer);

enum Signer {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A key or signature that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    #[error("not a private key on P-256 or of RSA in PKCS #8")]
    Key,
    #[error("not a public key on P-256 or of RSA in PEM, as `openssl pkey -pubout` writes it")]
    Public,
    #[error("the key does not sign")]
    Signing,
}

impl PolicySigner {
    /// Reads a private key in DER.
    pub fn of_pkcs8(der: &[u8]) -> Result<Self, AuthorityError> {
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Signer::P256);
        let rsa = || RsaKeyPair::from_pkcs8(der).map(Signer::Rsa);
        p256.or_else(|_| rsa()).map(Self).map_err(|_| AuthorityError::Key)
    }

    /// Reads a private key in PEM, as `openssl genpkey` writes it.
    pub fn of_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let block = pem::parse(text).ok().filter(|block| block.tag() == "PRIVATE KEY").ok_or(AuthorityError::Key)?;
        Self::of_pkcs8(&Zeroizing::new(block.into_contents()))
    }

    pub fn public(&self) -> Result<PolicyKey, AuthorityError> {
        let area = match &self.0 {
            Signer::P256(key) => {
                signing_area_p256(&Point::of_sec1(key.public_key().as_ref()).map_err(|_| AuthorityError::Key)?)
            }
            Signer::Rsa(key) => signing_area_rsa(modulus(key.public_key().as_ref()).ok_or(AuthorityError::Key)?),
        };
        Ok(PolicyKey { area })
    }

    /// Signs a statement for slots of this reference: `SHA-256(policy || reference)` is what the TPM checks.
    pub fn sign(&self, statement: &Statement, reference: &str) -> Result<Vec<u8>, AuthorityError> {
        let message = [statement.digest().as_slice(), reference.as_bytes()].concat();
        match &self.0 {
            Signer::P256(key) => {
                // The library draws its own nonce whatever it is given here.
                let signature = key.sign(&SystemRandom::new(), &message).map_err(|_| AuthorityError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature);
                signed.map(|()| signature).map_err(|_| AuthorityError::Signing)
            }
        }
    }
}

/// Everything in front of the point in a `SubjectPublicKeyInfo` on P-256 (RFC 5480).
const P256_PREFIX: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// What names RSA in one (RFC 3279).
const RSA_ALGORITHM: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

impl PolicyKey {
    /// Reads a public key as `openssl pkey -pubout` writes it.
    pub fn of_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let block = pem::parse(text).ok().filter(|block| block.tag() == "PUBLIC KEY");
        let block = block.ok_or(AuthorityError::Public)?;
        let der = block.contents();
        if let Some(point) = der.strip_prefix(P256_PREFIX) {
            let point = Point::of_sec1(point).map_err(|_| AuthorityError::Public)?;
            return Ok(Self { area: signing_area_p256(&point) });
        }
        let rsa = || {
            let mut reader = Reader::new(der);
            let header = |reader: &mut Reader<'_>, tag: u8| (reader.bytes(2).ok()? == [tag, 0x82]).then_some(());
            header(&mut reader, 0x30)?;
            let mut sequence = Reader::new(reader.sized().ok()?);
            (sequence.bytes(RSA_ALGORITHM.len()).ok()? == RSA_ALGORITHM).then_some(())?;
            header(&mut sequence, 0x03)?;
            modulus(sequence.sized().ok()?.strip_prefix(&[0])?)
        };
        let area = signing_area_rsa(rsa().ok_or(AuthorityError::Public)?);
        Ok(Self { area })
    }

    pub(crate) fn of_area(area: Vec<u8>) -> Self {
        Self { area }
    }

    pub(crate) fn area(&self) -> &[u8] {
        &self.area
    }

    pub(super) fn name(&self) -> Name {
        public::name(&self.area)
    }

    /// What people compare: the start of the key's name.
    pub fn fingerprint(&self) -> String {
        hexadecimal(&self.name()).chars().skip(4).take(16).collect()
    }

    /// The digest of a policy that is whatever this key signs.
    pub(super) fn digest(&self, reference: &str) -> Digest {
        authorized_digest(&self.name(), reference.as_bytes())
    }

    /// A signature as a TPM reads it (`TPMT_SIGNATURE`).
    fn marshalled(&self, signature: &[u8]) -> Vec<u8> {
        if is_rsa(&self.area) {
            return Writer::new().u16(ALG_RSASSA).u16(ALG_SHA256).sized(signature).done();
        }
        let (first, second) = signature.split_at_checked(HALF_BYTES).unwrap_or_default();
        Writer::new().u16(ALG_ECDSA).u16(ALG_SHA256).sized(first).sized(second).done()
    }
}

/// The modulus in `RSAPublicKey` (RFC 8017, appendix A.1.1) of a key of 2048 bits and more with the exponent 65537.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    let long = |bytes: &mut Reader<'_>, tag: u8| (bytes.u8() == Ok(tag) && bytes.u8() == Ok(0x82)).then_some(());
    let mut reader = Reader::new(der);
    long(&mut reader, 0x30)?;
    let mut sequence = Reader::new(reader.sized().ok()?);
    long(&mut sequence, 0x02)?;
    let number = sequence.sized().ok()?;
    (sequence.rest() == [0x02, 3, 1, 0, 1]).then(|| number.strip_prefix(&[0]).unwrap_or(number))
}

impl Tpm {
    /// Has the TPM check a signature over a policy, and returns the ticket that says that it did.
    pub(super) fn verify(
        &mut self,
        key: &PolicyKey,
        approved: &Digest,
        reference: &str,
        signature: &[u8],
    ) -> Result<Vec<u8>, TpmError> {
        // Tickets for policies come from keys of a real hierarchy alone (part 3, section 18.3).
        let parameters = Writer::new().sized(&[]).sized(&key.area).u32(RH_OWNER).done();
        let load = Command { name: "LoadExternal", code: LOAD_EXTERNAL, handles: &[], loads: true };
        let number = self.run(&load, Authorization::None, parameters)?.handle;
        let handle = Handle { number, name: key.name() };
        let signed = digest(&[approved, reference.as_bytes()]);
        let parameters = Writer::new().sized(&signed).bytes(&key.marshalled(signature)).done();
        let verify = Command { name: "VerifySignature", code: VERIFY_SIGNATURE, handles: &[&handle], loads: false };
        let ticket = self.run(&verify, Authorization::None, parameters).map(|answer| answer.parameters);
        self.flush(number)?;
        ticket
    }
}
