//! The McCallum-Relyea exchange: a server helps to find a key again and learns neither it nor who asked for what.
//!
//! With the server's key S = sG, binding takes a random c, keeps C = cG, and wraps under K = cS. Recovery takes a random e,
//! sends X = C + eG, gets Y = sX, and has K = Y - eS.

use p521::elliptic_curve::ff::PrimeField;
use p521::elliptic_curve::group::Group;
use p521::elliptic_curve::sec1::ToEncodedPoint;
use p521::{FieldBytes, ProjectivePoint, Scalar};
use zeroize::{Zeroize, Zeroizing};

use super::key::{COORDINATE_BYTES, Jwk, KeyError};
use crate::random::{NoRandomness, Randomness};

/// An exchange that cannot be: a key that is none, or no randomness.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// What stays secret of a key on the curve: its first coordinate, which keys are derived from.
pub(super) type Shared = Zeroizing<[u8; COORDINATE_BYTES]>;

/// Binds to a server's key: the public half that is kept, and what it wraps under.
pub(super) fn bind(server: &Jwk, random: &Randomness) -> Result<(Jwk, Shared), ExchangeError> {
    let server = server.point()?;
    let mut secret = scalar(random)?;
    let kept = Jwk::of_point(&(ProjectivePoint::GENERATOR * secret))?;
    let shared = shared(&(server * secret));
    secret.zeroize();
    Ok((kept, shared?))
}

/// A recovery under way: what is sent, and what takes the blinding off the answer.
pub(super) struct Recovery {
    pub(super) sent: Jwk,
    blinding: ProjectivePoint,
}

impl Recovery {
    /// Blinds the kept key, freshly each time, so that two recoveries cannot be told to belong together.
    pub(super) fn begin(kept: &Jwk, server: &Jwk, random: &Randomness) -> Result<Self, ExchangeError> {
        let (kept, server) = (kept.point()?, server.point()?);
        let mut ephemeral = scalar(random)?;
        let sent = Jwk::of_point(&(kept + ProjectivePoint::GENERATOR * ephemeral));
        let blinding = server * ephemeral;
        ephemeral.zeroize();
        let mut sent = sent?;
        sent.alg = Some("ECMR".to_owned());
        sent.key_ops = Some(vec!["deriveKey".to_owned()]);
        Ok(Self { sent, blinding })
    }

    /// What was wrapped under, from the server's answer. A wrong answer gives a wrong secret, which opens nothing.
    pub(super) fn finish(mut self, answer: &Jwk) -> Result<Shared, ExchangeError> {
        let shared = shared(&(answer.point()? - self.blinding));
        self.blinding.zeroize();
        Ok(shared?)
    }
}

fn shared(point: &ProjectivePoint) -> Result<Shared, KeyError> {
    if bool::from(point.is_identity()) {
        return Err(KeyError::Point);
    }
    let encoded = point.to_affine().to_encoded_point(false);
    let mut shared = Shared::new([0; COORDINATE_BYTES]);
    shared.copy_from_slice(encoded.x().ok_or(KeyError::Point)?);
    Ok(shared)
}

/// A scalar by rejection (FIPS 186-5, appendix A.2.2). The order begins with 260 bits of ones, so that once is enough.
fn scalar(random: &Randomness) -> Result<Scalar, ExchangeError> {
    loop {
        let mut bytes = random.bytes::<COORDINATE_BYTES>()?;
        if let Some(first) = bytes.first_mut() {
            // 521 bits: of the first byte one.
            *first &= 1;
        }
        let scalar: Option<Scalar> = Scalar::from_repr(FieldBytes::clone_from_slice(bytes.as_ref())).into();
        if let Some(scalar) = scalar.filter(|scalar| !bool::from(scalar.is_zero())) {
            return Ok(scalar);
        }
    }
}
