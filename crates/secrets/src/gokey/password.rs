//! gokey's passwords: 94 characters, and whole strings until there are three of each case, a digit and a symbol.

use super::{GokeyError, Stream};
use crate::secret::SecretBytes;

/// What the command asks for: three upper-case, three lower-case letters, a digit and a symbol.
pub(super) const LENGTH_MIN: u32 = 8;
/// Beyond it, nobody asks; gokey has no bound.
pub(super) const LENGTH_MAX: u32 = 4_096;
const TRIES_MAX: u32 = 1 << 20;
const CHARACTERS: &[u8; 94] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890`~!@#$%^&*()-_=+[{]}\\|;:'\",<.>/?";

pub(super) fn password(stream: &mut Stream, length: u32) -> Result<SecretBytes, GokeyError> {
    for _ in 0..TRIES_MAX {
        let mut text = SecretBytes::with_capacity(usize::try_from(length).unwrap_or_default());
        for _ in 0..length {
            text.push(&[character(stream)]);
        }
        let count = |is_class: fn(&u8) -> bool| text.reveal().iter().filter(|byte| is_class(byte)).count();
        let is_whole = count(u8::is_ascii_uppercase) >= 3
            && count(u8::is_ascii_lowercase) >= 3
            && count(u8::is_ascii_digit) >= 1
            && count(u8::is_ascii_punctuation) >= 1;
        if is_whole {
            return Ok(text);
        }
    }
    Err(GokeyError::Password { length, tries: TRIES_MAX })
}

/// Of 255 values (the last is thrown away) two stand for each character and the rest is thrown away.
fn character(stream: &mut Stream) -> u8 {
    loop {
        let byte = stream.byte();
        if let Some(character) = CHARACTERS.get(usize::from(byte / 2)) {
            return *character;
        }
    }
}

/// Strings of this length, as a logarithm; the classes take less than three bits away where they take most.
pub(crate) fn entropy_bits(length: u32) -> u32 {
    // The logarithm of 94 is 6.55.
    (length.saturating_mul(655) / 100).saturating_sub(3)
}
