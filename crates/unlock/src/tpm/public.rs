//! Public areas: what an object of a TPM is, and the name that follows from it (part 1, section 16).

use p256::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use p256::{AffinePoint, EncodedPoint, ProjectivePoint};

use super::constant::{
    ADMIN_WITH_POLICY, ALG_AES, ALG_CFB, ALG_ECC, ALG_KEYEDHASH, ALG_NULL, ALG_RSA, ALG_SHA256, CURVE_P256, DECRYPTS,
    FIXED_PARENT, FIXED_TPM, NO_DA, RESTRICTED, SENSITIVE_DATA_ORIGIN, SIGNS, USER_WITH_AUTH,
};
use super::error::TpmError;
use super::key_derivation::{Digest, digest};
use super::wire::{Reader, Short, Writer};

/// A name: the algorithm, and the digest of the public area.
pub(crate) type Name = Vec<u8>;

const COORDINATE_BYTES: usize = 32;
const COMPRESSED_BYTES: usize = 33;

/// A point of P-256 by its coordinates, which are not yet checked to lie on the curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: [u8; COORDINATE_BYTES],
    pub(super) y: [u8; COORDINATE_BYTES],
}

impl Point {
    /// Reads `TPMS_ECC_POINT`; a TPM may leave out zeroes in front.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Short> {
        let mut coordinate = || {
            let bytes = reader.sized()?;
            let mut padded = [0; COORDINATE_BYTES];
            let start = COORDINATE_BYTES.checked_sub(bytes.len()).ok_or(Short)?;
            padded.get_mut(start..).ok_or(Short)?.copy_from_slice(bytes);
            Ok(padded)
        };
        Ok(Self { x: coordinate()?, y: coordinate()? })
    }

    pub(super) fn marshal(&self) -> Vec<u8> {
        Writer::new().sized(&self.x).sized(&self.y).done()
    }

    /// The point, checked to lie on the curve.
    pub(super) fn projective(&self) -> Result<ProjectivePoint, TpmError> {
        let encoded = EncodedPoint::from_affine_coordinates(&self.x.into(), &self.y.into(), false);
        let point: Option<AffinePoint> = AffinePoint::from_encoded_point(&encoded).into();
        point.map(ProjectivePoint::from).ok_or(TpmError::Point)
    }

    /// Reads SEC 1's form, compressed or not, and checks that it lies on the curve.
    pub(super) fn of_sec1(bytes: &[u8]) -> Result<Self, TpmError> {
        let encoded = EncodedPoint::from_bytes(bytes).map_err(|_| TpmError::Point)?;
        let point: Option<AffinePoint> = AffinePoint::from_encoded_point(&encoded).into();
        Self::of_projective(&point.ok_or(TpmError::Point)?.into())
    }

    /// SEC 1's compressed form.
    pub(super) fn compressed(&self) -> Result<[u8; COMPRESSED_BYTES], TpmError> {
        let encoded = self.projective()?.to_affine().to_encoded_point(true);
        encoded.as_bytes().try_into().map_err(|_| TpmError::Point)
    }
}

/// SEC 1's uncompressed form of a point in either.
pub(crate) fn uncompressed(sec1: &[u8]) -> Result<Vec<u8>, TpmError> {
    let point = Point::of_sec1(sec1)?;
    Ok([&[4], point.x.as_slice(), point.y.as_slice()].concat())
}

/// The template of the storage root key: ECC on P-256, as the TCG's provisioning guidance has it.
pub(super) fn storage_root_template() -> Vec<u8> {
    let attributes = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | RESTRICTED | DECRYPTS;
    let head = Writer::new().u16(ALG_ECC).u16(ALG_SHA256).u32(attributes).sized(&[]);
    let parameters = head.u16(ALG_AES).u16(128).u16(ALG_CFB).u16(ALG_NULL).u16(CURVE_P256).u16(ALG_NULL);
    parameters.sized(&[0; COORDINATE_BYTES]).sized(&[0; COORDINATE_BYTES]).done()
}

/// The template of sealed data. Only the policy opens it: `userWithAuth` is clear.
pub(super) fn sealed_template(policy: &Digest) -> Vec<u8> {
    let attributes = FIXED_TPM | FIXED_PARENT | ADMIN_WITH_POLICY | NO_DA;
    let head = Writer::new().u16(ALG_KEYEDHASH).u16(ALG_SHA256).u32(attributes).sized(policy);
    head.u16(ALG_NULL).sized(&[]).done()
}

/// The template of a key for exchange that never leaves the TPM, and that only the policy lets work.
pub(super) fn exchange_template(policy: &Digest) -> Vec<u8> {
    let attributes = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | ADMIN_WITH_POLICY | NO_DA | DECRYPTS;
    let head = Writer::new().u16(ALG_ECC).u16(ALG_SHA256).u32(attributes).sized(policy);
    let parameters = head.u16(ALG_NULL).u16(ALG_NULL).u16(CURVE_P256).u16(ALG_NULL);
    parameters.sized(&[0; COORDINATE_BYTES]).sized(&[0; COORDINATE_BYTES]).done()
}

/// The public area of a signing key on P-256, as it is loaded to check signatures of policies.
pub(super) fn signing_area_p256(point: &Point) -> Vec<u8> {
    let head = Writer::new().u16(ALG_ECC).u16(ALG_SHA256).u32(USER_WITH_AUTH | SIGNS).sized(&[]);
    let parameters = head.u16(ALG_NULL).u16(ALG_NULL).u16(CURVE_P256).u16(ALG_NULL);
    parameters.bytes(&point.marshal()).done()
}

/// The same of an RSA key with the usual exponent, 65537.
pub(super) fn signing_area_rsa(modulus: &[u8]) -> Vec<u8> {
    let bits = u16::try_from(modulus.len().saturating_mul(8)).unwrap_or(u16::MAX);
    let head = Writer::new().u16(ALG_RSA).u16(ALG_SHA256).u32(USER_WITH_AUTH | SIGNS).sized(&[]);
    head.u16(ALG_NULL).u16(ALG_NULL).u16(bits).u32(0).sized(modulus).done()
}

/// The name of a public area.
pub(crate) fn name(area: &[u8]) -> Name {
    [ALG_SHA256.to_be_bytes().as_slice(), digest(&[area]).as_slice()].concat()
}

/// The type of a public area, and the point of one on P-256 whose parameters are ours.
pub(super) fn point_of(area: &[u8]) -> Result<Point, Short> {
    let mut reader = Reader::new(area);
    let kind = reader.u16()?;
    let _name_algorithm = reader.u16()?;
    let _attributes = reader.u32()?;
    let _policy = reader.sized()?;
    if kind != ALG_ECC {
        return Err(Short);
    }
    if reader.u16()? != ALG_NULL {
        // Bits and mode of the cipher that a storage key has.
        reader.bytes(4)?;
    }
    let (scheme, curve, derivation) = (reader.u16()?, reader.u16()?, reader.u16()?);
    if (scheme, curve, derivation) != (ALG_NULL, CURVE_P256, ALG_NULL) {
        return Err(Short);
    }
    let point = Point::read(&mut reader)?;
    if reader.is_empty() { Ok(point) } else { Err(Short) }
}

/// Whether the area is that of an RSA key.
pub(super) fn is_rsa(area: &[u8]) -> bool {
    Reader::new(area).u16() == Ok(ALG_RSA)
}
