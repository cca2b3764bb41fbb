//! gokey's RSA keys: the prime search of Go before it became random, candidate by candidate.

use num_bigint::BigUint;
use zeroize::Zeroizing;

use super::{GokeyError, Stream};
use crate::der::{SEQUENCE, element, integer, pem};
use crate::secret::SecretBytes;

const EXPONENT: u32 = 65_537;
const SMALL_PRIMES: [u64; 15] = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53];
/// Two are added to a candidate until none of the small primes divides it, up to this.
const DELTA_MAX: u64 = 1 << 20;
/// Rounds of Miller and Rabin; a composite of this size passes fewer than ever will matter.
const ROUNDS: usize = 40;
const TRIES_MAX: u32 = 1 << 16;
const PEM_WIDTH: usize = 64;

/// A key of `bits` bits as `RSA PRIVATE KEY` (RFC 8017, A.1.2).
pub(super) fn key(stream: &mut Stream, bits: u32) -> Result<SecretBytes, GokeyError> {
    let one = BigUint::from(1_u8);
    let exponent = BigUint::from(EXPONENT);
    for _ in 0..TRIES_MAX {
        let p = prime(stream, bits / 2)?;
        let q = prime(stream, bits / 2)?;
        let (n, totient) = (&p * &q, (&p - &one) * (&q - &one));
        if p == q || n.bits() != u64::from(bits) {
            continue;
        }
        let (Some(d), Some(inverse)) = (exponent.modinv(&totient), q.modinv(&p)) else { continue };
        let (of_p, of_q) = (&d % (&p - &one), &d % (&q - &one));
        let numbers = [&n, &exponent, &d, &p, &q, &of_p, &of_q, &inverse].map(|number| {
            let bytes = Zeroizing::new(number.to_bytes_be());
            integer(&bytes)
        });
        let version = integer(&[0]);
        let parts: Vec<&[u8]> = std::iter::once(&version).chain(&numbers).map(SecretBytes::reveal).collect();
        return Ok(pem("RSA PRIVATE KEY", element(SEQUENCE, &parts).reveal(), PEM_WIDTH));
    }
    Err(GokeyError::Prime { tries: TRIES_MAX })
}

/// A prime with its two highest bits set; `bits` is a multiple of eight.
fn prime(stream: &mut Stream, bits: u32) -> Result<BigUint, GokeyError> {
    let product = BigUint::from(SMALL_PRIMES.iter().product::<u64>());
    let mut bytes = Zeroizing::new(vec![0_u8; usize::try_from(bits / 8).unwrap_or_default()]);
    for _ in 0..TRIES_MAX {
        stream.fill(&mut bytes);
        if let Some(first) = bytes.first_mut() {
            *first |= 0xc0;
        }
        if let Some(last) = bytes.last_mut() {
            *last |= 1;
        }
        let mut candidate = BigUint::from_bytes_be(&bytes);
        let remainder = u64::try_from(&candidate % &product).unwrap_or_default();
        let is_free = |delta: &u64| SMALL_PRIMES.iter().all(|prime| remainder.wrapping_add(*delta) % prime != 0);
        if let Some(delta) = (0..DELTA_MAX).step_by(2).find(is_free) {
            candidate += delta;
        }
        if candidate.bits() == u64::from(bits) && is_prime(&candidate) {
            return Ok(candidate);
        }
    }
    Err(GokeyError::Prime { tries: TRIES_MAX })
}

/// Miller and Rabin to the bases of the first primes. Candidates are drawn, not chosen by somebody who knows the bases.
fn is_prime(candidate: &BigUint) -> bool {
    let one = BigUint::from(1_u8);
    let less_one = candidate - &one;
    let twos = less_one.trailing_zeros().unwrap_or_default();
    let odd = &less_one >> twos;
    let bases = (2_u32..).filter(|base| (2..*base).all(|divisor| base % divisor != 0)).take(ROUNDS);
    for base in bases {
        let mut power = BigUint::from(base).modpow(&odd, candidate);
        if power == one || power == less_one {
            continue;
        }
        let mut is_witness = true;
        for _ in 1..twos {
            power = &power * &power % candidate;
            if power == less_one {
                is_witness = false;
                break;
            }
        }
        if is_witness {
            return false;
        }
    }
    true
}
