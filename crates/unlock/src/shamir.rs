//! Shamir's scheme over GF(2^8): a secret in shares, of which some threshold gives it back and fewer say nothing.
//!
//! The field is that of AES, with the polynomial x^8 + x^4 + x^3 + x + 1. Multiplying branches on nothing and looks nothing
//! up, so that neither time nor caches tell about shares. Nothing here says whether shares belong together: each is
//! wrapped with authentication, and so is what their secret wraps.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random::{NoRandomness, Randomness};

pub(crate) const SECRET_BYTES: usize = 32;
/// The place on the polynomials, from 1 on, and a byte for each of the secret.
pub(crate) const SHARE_BYTES: usize = 1 + SECRET_BYTES;

pub(crate) type Secret = Zeroizing<[u8; SECRET_BYTES]>;
pub(crate) type Share = Zeroizing<[u8; SHARE_BYTES]>;

/// Why there are no shares, or no secret of them.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(
        "{threshold} of {shares} shares: the threshold must be from 1 to the number of shares, and that at most 255"
    )]
    Threshold { threshold: u8, shares: usize },
    #[error("two shares of the same place")]
    Repeated,
    #[error("a share that is none")]
    Malformed,
}

/// Splits a secret into so many shares that `threshold` of them give it back.
pub(crate) fn split(
    secret: &Secret,
    threshold: u8,
    shares: usize,
    random: &Randomness,
) -> Result<Vec<Share>, ShareError> {
    let places = u8::try_from(shares).ok().filter(|places| threshold >= 1 && threshold <= *places);
    let places = places.ok_or(ShareError::Threshold { threshold, shares })?;
    // The polynomial of each byte has the secret's at zero; the other coefficients are random.
    let coefficients: Vec<Secret> = (1..threshold).map(|_| random.bytes::<SECRET_BYTES>()).collect::<Result<_, _>>()?;
    let share = |place: u8| {
        let mut share = Share::new([0; SHARE_BYTES]);
        let (first, values) = share.split_at_mut(1);
        first.fill(place);
        // Horner's rule from the highest coefficient down.
        for coefficient in coefficients.iter().rev().chain([secret]) {
            for (value, byte) in values.iter_mut().zip(coefficient.iter()) {
                *value = multiply(*value, place) ^ byte;
            }
        }
        share
    };
    Ok((1..=places).map(share).collect())
}

/// The secret of shares, by Lagrange's interpolation at zero. They must be as many as the threshold said.
pub(crate) fn combine(shares: &[Share]) -> Result<Secret, ShareError> {
    let mut secret = Secret::new([0; SECRET_BYTES]);
    for (index, share) in shares.iter().enumerate() {
        let (place, values) = parts(share)?;
        let mut weight = 1;
        for other in shares.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other) {
            let (other, _) = parts(other)?;
            if bool::from(other.ct_eq(&place)) {
                return Err(ShareError::Repeated);
            }
            weight = multiply(weight, multiply(other, invert(other ^ place)));
        }
        for (byte, value) in secret.iter_mut().zip(values) {
            *byte ^= multiply(*value, weight);
        }
    }
    Ok(secret)
}

fn parts(share: &Share) -> Result<(u8, &[u8]), ShareError> {
    match share.split_first() {
        Some((place, values)) if *place != 0 => Ok((*place, values)),
        _ => Err(ShareError::Malformed),
    }
}

/// The product, in eight steps whatever the factors are.
fn multiply(mut first: u8, second: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= first & 0_u8.wrapping_sub((second >> bit) & 1);
        let carry = 0_u8.wrapping_sub(first >> 7);
        first = (first << 1) ^ (carry & 0x1B);
    }
    product
}

/// The inverse, as the 254th power; that of zero is zero and never asked for.
fn invert(value: u8) -> u8 {
    let square = |value| multiply(value, value);
    let mut power = value;
    // 254 is 0b1111_1110: six times square and multiply, then square once more.
    for _ in 0..6 {
        power = multiply(square(power), value);
    }
    square(power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn random(seed: u8) -> Randomness {
        let state = std::sync::Mutex::new(u32::from(seed) + 1);
        Randomness::new(move |bytes| {
            let mut state = state.lock().unwrap();
            for byte in bytes {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (*state >> 24) as u8;
            }
            Ok(())
        })
    }

    #[test]
    fn products_are_those_of_fips_197() {
        // Section 4.2: {57} x {83} = {c1}, {57} x {13} = {fe}; and its table of inverses begins so.
        assert_eq!(multiply(0x57, 0x83), 0xC1);
        assert_eq!(multiply(0x57, 0x13), 0xFE);
        assert_eq!([invert(1), invert(2), invert(3), invert(0x53)], [1, 0x8D, 0xF6, 0xCA]);
        assert!((1..=255).all(|value| multiply(value, invert(value)) == 1));
    }

    #[test]
    fn shares_computed_by_hand_give_their_secret_back() {
        // The polynomial 0x42 + 0x03 x for every byte: at 1 it is 0x41, at 2 it is 0x44, at 3 it is 0x47.
        let share = |place: u8, value: u8| {
            let mut share = Share::new([value; SHARE_BYTES]);
            share[0] = place;
            share
        };
        for pair in [[(1, 0x41), (2, 0x44)], [(3, 0x47), (1, 0x41)], [(2, 0x44), (3, 0x47)]] {
            let shares = pair.map(|(place, value)| share(place, value));
            assert_eq!(*combine(&shares).unwrap(), [0x42; SECRET_BYTES]);
        }
        assert!(matches!(combine(&[share(1, 1), share(1, 1)]), Err(ShareError::Repeated)));
        assert!(matches!(combine(&[share(0, 1)]), Err(ShareError::Malformed)));
    }

    proptest! {
        #[test]
        fn any_threshold_of_shares_gives_the_secret_back_and_fewer_another(
            secret: [u8; 32], threshold in 1_u8..6, more in 0_usize..6, seed: u8, rotation in 0_usize..12,
        ) {
            let secret = Secret::new(secret);
            let count = usize::from(threshold) + more;
            let mut shares = split(&secret, threshold, count, &random(seed)).unwrap();
            prop_assert_eq!(shares.len(), count);
            shares.rotate_left(rotation % count);
            shares.truncate(usize::from(threshold));
            prop_assert_eq!(*combine(&shares).unwrap(), *secret);
            shares.pop();
            if !shares.is_empty() {
                prop_assert_ne!(*combine(&shares).unwrap(), *secret);
            }
        }
    }

    #[test]
    fn a_threshold_that_cannot_be_is_refused() {
        for (threshold, shares) in [(0, 1), (2, 1), (1, 256)] {
            let refused = split(&Secret::default(), threshold, shares, &random(1));
            assert!(matches!(refused, Err(ShareError::Threshold { .. })));
        }
    }
}
