//! Keys of tang as JSON Web Keys (RFC 7517): points of P-521, their thumbprints, and what they may do.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p521::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use p521::{AffinePoint, EncodedPoint, FieldBytes, ProjectivePoint};
use serde::{Deserialize, Serialize};

/// Bytes of one coordinate (RFC 7518, section 6.2.1.2).
pub(crate) const COORDINATE_BYTES: usize = 66;
const CURVE: &str = "P-521";

/// A public key. Members stand in the order of their names, as other programs write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jwk {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    pub(crate) crv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_ops: Option<Vec<String>>,
    pub(crate) kty: String,
    pub(crate) x: String,
    pub(crate) y: String,
}

/// Several of them, as an advertisement holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JwkSet {
    pub(crate) keys: Vec<Jwk>,
}

/// What is no key of tang.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key of type {kty} on {crv}; tang's are EC on P-521")]
    Curve { kty: String, crv: String },
    #[error("a coordinate of a key is not {COORDINATE_BYTES} bytes in base64url")]
    Coordinate,
    #[error("the coordinates of a key are no point of P-521")]
    Point,
}

impl Jwk {
    /// The key of a point; the point at infinity has none.
    pub(crate) fn of_point(point: &ProjectivePoint) -> Result<Self, KeyError> {
        let encoded = point.to_affine().to_encoded_point(false);
        let (Some(x), Some(y)) = (encoded.x(), encoded.y()) else { return Err(KeyError::Point) };
        let text = |coordinate: &FieldBytes| BASE64_URL_SAFE_NO_PAD.encode(coordinate);
        Ok(Self { alg: None, crv: CURVE.to_owned(), key_ops: None, kty: "EC".to_owned(), x: text(x), y: text(y) })
    }

    /// The point, which is checked to lie on the curve.
    pub(crate) fn point(&self) -> Result<ProjectivePoint, KeyError> {
        if self.kty != "EC" || self.crv != CURVE {
            return Err(KeyError::Curve { kty: self.kty.clone(), crv: self.crv.clone() });
        }
        let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
        let encoded = EncodedPoint::from_affine_coordinates(&x, &y, false);
        let point: Option<AffinePoint> = AffinePoint::from_encoded_point(&encoded).into();
        point.map(ProjectivePoint::from).ok_or(KeyError::Point)
    }

    /// `0x04 || x || y`, as signatures are checked with.
    pub(crate) fn uncompressed(&self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = vec![4];
        bytes.extend(coordinate(&self.x)?);
        bytes.extend(coordinate(&self.y)?);
        Ok(bytes)
    }

    /// Whether the key may be used so, as its `key_ops` say (RFC 7517, section 4.3).
    pub(crate) fn may(&self, operation: &str) -> bool {
        self.key_ops.iter().flatten().any(|named| named == operation)
    }

    /// The thumbprint by SHA-256 (RFC 7638), which tang calls `S256` and names its keys by.
    pub(crate) fn thumbprint(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, self.canonical().as_bytes()))
    }

    /// Whether a thumbprint is this key's. Old servers and JWEs name keys by SHA-1, which finds a key and proves nothing.
    pub(crate) fn is_named(&self, thumbprint: &str) -> bool {
        let old =
            || BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, self.canonical().as_bytes()));
        thumbprint == self.thumbprint() || thumbprint == old()
    }

    /// The required members in the order of their names (RFC 7638, section 3.2). All four are base64url or fixed words,
    /// so that nothing needs escaping.
    fn canonical(&self) -> String {
        let Self { crv, kty, x, y, .. } = self;
        format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#)
    }
}

fn coordinate(text: &str) -> Result<FieldBytes, KeyError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Coordinate)?;
    let bytes: [u8; COORDINATE_BYTES] = bytes.try_into().map_err(|_| KeyError::Coordinate)?;
    Ok(FieldBytes::clone_from_slice(&bytes))
}
