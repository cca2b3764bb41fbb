//! Keys of X25519 (WireGuard, age) and of P-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bech32::{Bech32, Hrp};
use p256::elliptic_curve::bigint::{Encoding as _, NonZero, U384};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{FieldBytes, SecretKey};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::der::{OCTET_STRING, SEQUENCE, bit_string, element, integer, object_identifier, pem};
use crate::derive::Stream;
use crate::secret::SecretBytes;

const EC_PUBLIC_KEY: [u32; 6] = [1, 2, 840, 10_045, 2, 1];
const PRIME256V1: [u32; 7] = [1, 2, 840, 10_045, 3, 1, 7];
/// The order of P-256 less one (FIPS 186-5, A.4.1).
const ORDER_LESS_ONE: U384 = U384::from_be_hex(
    "00000000000000000000000000000000ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
);
/// Width of lines in PEM (RFC 7468, section 2).
pub(super) const PEM_WIDTH: usize = 64;

/// Clamped as `wg genkey` does (RFC 7748, section 5), then base64.
pub(super) fn wireguard(stream: &mut Stream) -> SecretBytes {
    let mut key = stream.array::<32>();
    let [first, .., last] = &mut *key;
    *first &= 0xf8;
    *last = *last & 0x7f | 0x40;
    SecretBytes::from(STANDARD.encode(key.as_slice()))
}

pub(super) fn wireguard_public(stream: &mut Stream) -> String {
    STANDARD.encode(x25519_public(stream))
}

fn x25519_public(stream: &mut Stream) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*stream.array::<32>())).to_bytes()
}

/// `AGE-SECRET-KEY-1…`: the stream's bytes in Bech32 (BIP 173), upper case.
pub(crate) fn age_identity(stream: &mut Stream) -> SecretBytes {
    age_identity_of(&stream.array::<32>())
}

pub(crate) fn age_identity_of(bytes: &Zeroizing<[u8; 32]>) -> SecretBytes {
    let text = Zeroizing::new(bech32_text("age-secret-key-", bytes.as_slice()));
    SecretBytes::from(text.to_ascii_uppercase())
}

pub(crate) fn age_recipient(stream: &mut Stream) -> String {
    bech32_text("age", &x25519_public(stream))
}

fn bech32_text(human: &str, bytes: &[u8]) -> String {
    // Both are short and plain, which is all that can be wrong.
    Hrp::parse(human).ok().and_then(|human| bech32::encode::<Bech32>(human, bytes).ok()).unwrap_or_default()
}

/// 48 stream bytes modulo the order less one, and one added: never zero, and biased by less than 2^-128.
pub(super) fn p256(stream: &mut Stream) -> SecretKey {
    let mut wide = U384::from_be_slice(stream.array::<48>().as_slice());
    let mut scalar = wide.rem(&NonZero::from_uint(ORDER_LESS_ONE)).wrapping_add(&U384::ONE);
    let mut bytes = Zeroizing::new(scalar.to_be_bytes());
    wide.zeroize();
    scalar.zeroize();
    let (_, low) = bytes.split_at_mut(16);
    let key = SecretKey::from_bytes(FieldBytes::from_slice(low));
    // From one to the order less one, every number is a key.
    key.unwrap_or_else(|_| SecretKey::new(p256::elliptic_curve::ScalarPrimitive::ONE))
}

fn p256_algorithm() -> SecretBytes {
    let (key, curve) = (object_identifier(&EC_PUBLIC_KEY), object_identifier(&PRIME256V1));
    element(SEQUENCE, &[key.reveal(), curve.reveal()])
}

/// PKCS #8 (RFC 5958) around RFC 5915, with the public key in it.
pub(super) fn p256_pem(stream: &mut Stream) -> SecretBytes {
    let key = p256(stream);
    let point = key.public_key().to_encoded_point(false);
    let scalar = Zeroizing::new(key.to_bytes());
    let public = element(0xa1, &[bit_string(point.as_bytes()).reveal()]);
    let scalar = element(OCTET_STRING, &[scalar.as_slice()]);
    let inner = element(SEQUENCE, &[integer(&[1]).reveal(), scalar.reveal(), public.reveal()]);
    pkcs8(&p256_algorithm(), inner.reveal())
}

/// A private key with its algorithm (RFC 5958), as text.
pub(super) fn pkcs8(algorithm: &SecretBytes, key: &[u8]) -> SecretBytes {
    let key = element(OCTET_STRING, &[key]);
    let der = element(SEQUENCE, &[integer(&[0]).reveal(), algorithm.reveal(), key.reveal()]);
    pem("PRIVATE KEY", der.reveal(), PEM_WIDTH)
}

/// `SubjectPublicKeyInfo` (RFC 5480).
pub(super) fn p256_public(key: &SecretKey) -> SecretBytes {
    let point = key.public_key().to_encoded_point(false);
    element(SEQUENCE, &[p256_algorithm().reveal(), bit_string(point.as_bytes()).reveal()])
}

pub(super) fn p256_public_pem(stream: &mut Stream) -> String {
    text_of(&pem("PUBLIC KEY", p256_public(&p256(stream)).reveal(), PEM_WIDTH))
}

/// Public text.
pub(super) fn text_of(bytes: &SecretBytes) -> String {
    bytes.reveal_text().unwrap_or_default().to_owned()
}
