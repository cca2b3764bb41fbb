//! gokey's keys of elliptic curves, in the forms Go writes: RFC 5915 with its parameters, and PKCS #8.

use num_bigint::BigUint;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use zeroize::Zeroizing;

use super::{GokeyKind, Stream};
use crate::der::{OCTET_STRING, SEQUENCE, bit_string, element, integer, object_identifier, pem};
use crate::secret::SecretBytes;

const WIDTH: usize = 64;

struct Curve {
    identifier: &'static [u32],
    order: &'static [u8],
    /// Bytes read: FIPS 186-4, B.5.1, with the size in bits rounded down to bytes.
    read_bytes: usize,
    scalar_bytes: usize,
}

fn curve(kind: GokeyKind) -> Curve {
    match kind {
        GokeyKind::Ec384 => Curve {
            identifier: &[1, 3, 132, 0, 34],
            order: b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            read_bytes: 56,
            scalar_bytes: 48,
        },
        GokeyKind::Ec521 => Curve {
            identifier: &[1, 3, 132, 0, 35],
            order: b"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
            read_bytes: 73,
            scalar_bytes: 66,
        },
        _ => Curve {
            identifier: &[1, 2, 840, 10_045, 3, 1, 7],
            order: b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            read_bytes: 40,
            scalar_bytes: 32,
        },
    }
}

/// `EC PRIVATE KEY`.
pub(super) fn elliptic(stream: &mut Stream, kind: GokeyKind) -> SecretBytes {
    let curve = curve(kind);
    let read = stream.take(curve.read_bytes);
    let one = BigUint::from(1_u8);
    let order = BigUint::parse_bytes(curve.order, 16).unwrap_or_default();
    let scalar = BigUint::from_bytes_be(read.reveal()) % (order - &one) + one;
    let digits = Zeroizing::new(scalar.to_bytes_be());
    let mut padded = Zeroizing::new(vec![0; curve.scalar_bytes.saturating_sub(digits.len())]);
    padded.extend_from_slice(&digits);
    let point = point(kind, &padded);
    let identifier = element(0xa0, &[object_identifier(curve.identifier).reveal()]);
    let public = element(0xa1, &[bit_string(&point).reveal()]);
    let scalar = element(OCTET_STRING, &[padded.as_slice()]);
    let der = element(SEQUENCE, &[integer(&[1]).reveal(), scalar.reveal(), identifier.reveal(), public.reveal()]);
    pem("EC PRIVATE KEY", der.reveal(), WIDTH)
}

/// The public point, uncompressed. A scalar from one to the order less one always has one.
fn point(kind: GokeyKind, scalar: &[u8]) -> Vec<u8> {
    let point =
        match kind {
            GokeyKind::Ec384 => p384::SecretKey::from_slice(scalar)
                .map(|key| key.public_key().to_encoded_point(false).as_bytes().to_vec()),
            GokeyKind::Ec521 => p521::SecretKey::from_slice(scalar)
                .map(|key| key.public_key().to_encoded_point(false).as_bytes().to_vec()),
            _ => p256::SecretKey::from_slice(scalar)
                .map(|key| key.public_key().to_encoded_point(false).as_bytes().to_vec()),
        };
    point.unwrap_or_default()
}

/// `PRIVATE KEY` of X25519, clamped, or of Ed25519.
pub(super) fn edwards(stream: &mut Stream, kind: GokeyKind) -> SecretBytes {
    let mut key = Zeroizing::new([0; 32]);
    stream.fill(key.as_mut_slice());
    let last_number = if kind == GokeyKind::X25519 {
        let [first, .., last] = &mut *key;
        *first &= 0xf8;
        *last = *last & 0x7f | 0x40;
        110
    } else {
        112
    };
    let algorithm = element(SEQUENCE, &[object_identifier(&[1, 3, 101, last_number]).reveal()]);
    let inner = element(OCTET_STRING, &[key.as_slice()]);
    let wrapped = element(OCTET_STRING, &[inner.reveal()]);
    let der = element(SEQUENCE, &[integer(&[0]).reveal(), algorithm.reveal(), wrapped.reveal()]);
    pem("PRIVATE KEY", der.reveal(), WIDTH)
}
