//! A string of a derivation: bytes of any kind, kept as the file spells them until someone asks for their value.

use std::borrow::Cow;
use std::fmt;

/// A string as it stands between the quotes of an `ATerm`.
///
/// Nix always escapes `"`, `\`, newline, carriage return and tab and nothing else, so a value has exactly one
/// spelling: comparing spellings compares values, and printing copies. The value is made only when asked for, because
/// most strings of a derivation (build scripts above all) are never looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(Cow<'a, [u8]>);

impl<'a> Text<'a> {
    /// The text with this value.
    pub fn new(value: &'a [u8]) -> Self {
        if !value.iter().copied().any(needs_escape) {
            return Self(Cow::Borrowed(value));
        }
        let mut spelling = Vec::with_capacity(value.len() + value.len() / 8 + 1);
        for &byte in value {
            match escape_letter(byte) {
                Some(letter) => spelling.extend([b'\\', letter]),
                None => spelling.push(byte),
            }
        }
        Self(Cow::Owned(spelling))
    }

    /// The text with this value, owning it.
    pub fn owned(value: &str) -> Text<'static> {
        Text(Cow::Owned(Text::new(value.as_bytes()).0.into_owned()))
    }

    /// The text with this spelling, which the reader has checked.
    pub(super) fn from_spelling(spelling: &'a [u8]) -> Self {
        Self(Cow::Borrowed(spelling))
    }

    /// What stands between the quotes. For a value that holds nothing escaped this is the value itself, unchecked and
    /// uncopied: comparing it with a known word or path needs no more.
    pub fn spelling(&self) -> &[u8] {
        &self.0
    }

    /// The value, borrowed where the file holds it unescaped.
    pub fn value(&self) -> Cow<'_, [u8]> {
        if !self.0.contains(&b'\\') {
            return Cow::Borrowed(&self.0);
        }
        let mut value = Vec::with_capacity(self.0.len());
        let mut bytes = self.0.iter().copied();
        while let Some(byte) = bytes.next() {
            value.push(if byte == b'\\' { bytes.next().map_or(b'\\', unescape) } else { byte });
        }
        Cow::Owned(value)
    }

    /// The value as text; bytes that are not UTF-8 become replacement characters.
    pub fn lossy(&self) -> Cow<'_, str> {
        match self.value() {
            Cow::Borrowed(value) => String::from_utf8_lossy(value),
            Cow::Owned(value) => Cow::Owned(String::from_utf8_lossy(&value).into_owned()),
        }
    }

    /// The value where it is UTF-8 without escapes, as every store path and name is.
    pub fn plain(&self) -> Option<&str> {
        if self.0.contains(&b'\\') { None } else { std::str::from_utf8(&self.0).ok() }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value is exactly this word, which must hold nothing that is escaped.
    pub fn is(&self, word: &str) -> bool {
        *self.0 == *word.as_bytes()
    }

    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), formatter)
    }
}

/// Bytes that never stand bare between the quotes.
pub(super) fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t')
}

/// Where the first byte stands that is escaped or ends a string.
///
/// Eight bytes are looked at together, which makes reading a graph a third faster than byte by byte: a byte below a
/// bound, and a zero byte, show in the top bit of a subtraction ("Bit Twiddling Hacks", "Determine if a word has a
/// byte less than n"). A false hit, such as another control character, costs only the slow look at eight bytes.
pub(super) fn first_special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & TOPS;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        if (below(word, b' ') | quote | backslash) != 0
            && let Some(within) = chunk.iter().copied().position(needs_escape)
        {
            return Some(index * 8 + within);
        }
    }
    let within = tail.iter().copied().position(needs_escape)?;
    Some(bytes.len() - tail.len() + within)
}

/// The letter after the backslash for a byte that is escaped.
fn escape_letter(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

/// Whether Nix writes this letter after a backslash.
pub(super) fn is_escape_letter(letter: u8) -> bool {
    matches!(letter, b'"' | b'\\' | b'n' | b'r' | b't')
}

fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_borrowed_until_it_needs_an_escape() {
        assert!(matches!(Text::new(b"plain \xff").0, Cow::Borrowed(_)));
        assert_eq!(Text::new(b"a\n\"\\\r\t").spelling(), br#"a\n\"\\\r\t"#);
        assert_eq!(Text::new(b"a\nb").plain(), None);
        assert_eq!(Text::new(b"a\xff").lossy(), "a\u{fffd}");
        assert!(Text::new(b"out").is("out"));
    }

    proptest! {
        #[test]
        fn the_fast_search_finds_what_the_slow_one_finds(bytes: Vec<u8>) {
            prop_assert_eq!(first_special(&bytes), bytes.iter().copied().position(needs_escape));
        }

        #[test]
        fn a_value_survives_its_spelling(value: Vec<u8>) {
            let text = Text::new(&value);
            prop_assert_eq!(&*text.value(), &*value);
        }
    }
}
