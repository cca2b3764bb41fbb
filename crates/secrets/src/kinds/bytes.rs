//! Stream bytes as they are, and as text.

use aux_core::hexadecimal as digits;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::derive::Stream;
use crate::secret::SecretBytes;

fn taken(stream: &mut Stream, length: u32) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or(usize::MAX)]);
    stream.fill(&mut bytes);
    bytes
}

pub(super) fn raw(stream: &mut Stream, length: u32) -> SecretBytes {
    SecretBytes::from(taken(stream, length).as_slice())
}

pub(super) fn hexadecimal(stream: &mut Stream, length: u32) -> SecretBytes {
    SecretBytes::from(digits(&taken(stream, length)))
}

/// RFC 4648, section 4, padded.
pub(super) fn base64(stream: &mut Stream, length: u32) -> SecretBytes {
    SecretBytes::from(STANDARD.encode(taken(stream, length)))
}

/// RFC 4648, section 5, without padding.
pub(super) fn base64_url(stream: &mut Stream, length: u32) -> SecretBytes {
    SecretBytes::from(URL_SAFE_NO_PAD.encode(taken(stream, length)))
}

/// RFC 9562, section 5.4: version 4 and the variant stand over sixteen stream bytes.
pub(super) fn uuid(stream: &mut Stream) -> SecretBytes {
    let mut bytes = stream.array::<16>();
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut *bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let mut text = SecretBytes::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b"-");
        }
        text.push(digits(&[*byte]).as_bytes());
    }
    text
}
