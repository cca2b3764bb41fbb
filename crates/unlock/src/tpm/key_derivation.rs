//! The TPM's ways of deriving keys (part 1, sections 11.4.10.2 and 11.4.10.3), and digests, all by SHA-256.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

pub(super) const DIGEST_BYTES: usize = 32;
pub(crate) type Digest = [u8; DIGEST_BYTES];

/// SHA-256 of several parts.
pub(crate) fn digest(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    array(context.finish().as_ref())
}

/// HMAC-SHA-256 of several parts.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Digest {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    array(context.sign().as_ref())
}

/// `KDFa`, of one block: 256 bits are the most that is needed.
pub(super) fn from_key(key: &[u8], label: &str, first: &[u8], second: &[u8]) -> Zeroizing<Digest> {
    Zeroizing::new(hmac(key, &[&1_u32.to_be_bytes(), label.as_bytes(), &[0], first, second, &256_u32.to_be_bytes()]))
}

/// `KDFe`, of one block: from the first coordinate of a point that two parties share.
pub(super) fn from_exchange(shared: &[u8], label: &str, first: &[u8], second: &[u8]) -> Zeroizing<Digest> {
    Zeroizing::new(digest(&[&1_u32.to_be_bytes(), shared, label.as_bytes(), &[0], first, second]))
}

fn array(bytes: &[u8]) -> Digest {
    let mut array = [0; DIGEST_BYTES];
    array.copy_from_slice(bytes);
    array
}
