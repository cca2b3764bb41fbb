//! Hexadecimal digits read back.

/// Bytes out of lower-case hexadecimal digits; `None` for anything else.
pub(crate) fn unhexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_lower_case_digits_are_bytes() {
        assert_eq!(unhexadecimal("00ff1a"), Some(vec![0, 255, 26]));
        for wrong in ["0", "0g", "AA", "é", "0 "] {
            assert_eq!(unhexadecimal(wrong), None, "{wrong}");
        }
    }
}
