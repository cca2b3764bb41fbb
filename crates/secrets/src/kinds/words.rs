//! Passphrases of pronounceable words: five letters for sixteen bits, consonant and vowel in turn ("proquints", arXiv
//! 0901.4016). A list of words would have to be carried along, and nobody could write it again from a page.

use crate::derive::Stream;
use crate::secret::SecretBytes;

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

pub(super) fn passphrase(stream: &mut Stream, words: u32) -> SecretBytes {
    let mut text = SecretBytes::with_capacity(6 * usize::try_from(words).unwrap_or_default());
    for index in 0..words {
        if index > 0 {
            text.push(b"-");
        }
        let word = u16::from_be_bytes([stream.byte(), stream.byte()]);
        let consonant = |shift: u16| CONSONANTS.get(usize::from(word >> shift & 15)).copied().unwrap_or_default();
        let vowel = |shift: u16| VOWELS.get(usize::from(word >> shift & 3)).copied().unwrap_or_default();
        text.push(&[consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)]);
    }
    text
}
