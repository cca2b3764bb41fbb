//! Short names for what must be told from everything else: 128 bits of a SHA-256 in hexadecimal.

use aux_core::hexadecimal;
use sha2::{Digest as _, Sha256};

/// The name of these parts. They are told apart by a NUL after each, which none of them holds.
pub(crate) fn short_name<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    const BYTES: usize = 16;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hexadecimal(hash.finalize().get(..BYTES).unwrap_or_default())
}
