//! Nix32: Nix's own base 32, last bit first (Nix manual, "Nix32").

/// The digits: no `e`, `o`, `t`, `u`.
pub(crate) const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// What each byte is worth as a digit; 255 where it is none.
const VALUES: [u8; 256] = values();

/// How many characters so many bytes take.
pub const fn length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Whether a byte is a digit.
pub fn is_digit(byte: u8) -> bool {
    value(byte).is_some()
}

pub(crate) fn value(byte: u8) -> Option<u8> {
    VALUES.get(usize::from(byte)).copied().filter(|value| *value < 32)
}

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |position: usize| {
        let (index, shift) = (position * 5 / 8, position * 5 % 8);
        let low = bytes.get(index).copied().unwrap_or_default();
        let high = bytes.get(index + 1).copied().unwrap_or_default();
        let value = (u16::from_le_bytes([low, high]) >> shift) & 31;
        DIGITS.get(usize::from(value)).copied().map(char::from).unwrap_or_default()
    };
    (0..length(bytes.len())).rev().map(digit).collect()
}

/// Text as exactly `N` bytes; `None` where a character is no digit, the length differs or bits are left over.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != length(N) {
        return None;
    }
    let mut bytes = [0_u8; N];
    for (position, byte) in text.bytes().rev().enumerate() {
        let (index, shift) = (position * 5 / 8, position * 5 % 8);
        let [low, high] = (u16::from(value(byte)?) << shift).to_le_bytes();
        *bytes.get_mut(index)? |= low;
        match bytes.get_mut(index + 1) {
            Some(next) => *next |= high,
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(bytes)
}

#[expect(clippy::indexing_slicing, reason = "computed while compiling, where a wrong index is an error")]
const fn values() -> [u8; 256] {
    let mut values = [255; 256];
    let mut digit = 0_u8;
    while digit < 32 {
        values[DIGITS[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_manuals_example_is_encoded() {
        // The SHA-256 of nothing, as `nix hash to-base32` prints it.
        let empty: [u8; 32] = decode("0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73").unwrap();
        assert_eq!(empty[..4], [0xe3, 0xb0, 0xc4, 0x42]);
        assert_eq!(encode(&empty), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73");
    }

    #[test]
    fn what_is_no_nix32_of_that_length_is_refused() {
        assert_eq!(decode::<20>(&"e".repeat(32)), None);
        assert_eq!(decode::<20>(&"0".repeat(31)), None);
        // 52 digits hold 260 bits: the first one may only use one.
        assert_eq!(decode::<32>(&format!("z{}", "0".repeat(51))), None);
        assert!(decode::<32>(&format!("1{}", "0".repeat(51))).is_some());
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(short: [u8; 20], long: [u8; 32]) {
            prop_assert_eq!(decode(&encode(&short)), Some(short));
            prop_assert_eq!(decode(&encode(&long)), Some(long));
        }
    }
}
