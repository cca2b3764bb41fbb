//! The little of DER (X.690) that keys and certificates need, and PEM around it. Writing only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secret::SecretBytes;

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BOOLEAN_TRUE: [u8; 3] = [0x01, 0x01, 0xff];

/// An element with this tag around these parts. What it returns may hold a key, so it is overwritten when dropped.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> SecretBytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = SecretBytes::with_capacity(length + 6);
    bytes.push(&[tag]);
    let digits = length.to_be_bytes();
    let significant = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len() - 1);
    let digits = digits.get(significant..).unwrap_or_default();
    if length >= 0x80 {
        bytes.push(&[0x80 | u8::try_from(digits.len()).unwrap_or_default()]);
    }
    bytes.push(digits);
    for part in parts {
        bytes.push(part);
    }
    bytes
}

/// A number that is not negative, from its big-endian bytes.
pub(crate) fn integer(bytes: &[u8]) -> SecretBytes {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(start..).unwrap_or_default();
    // A set first bit would make it negative, and zero still has one digit.
    let needs_zero = digits.first().is_none_or(|first| first & 0x80 != 0);
    element(INTEGER, &[if needs_zero { &[0] } else { &[] }, digits])
}

/// Bits, all of the last byte used.
pub(crate) fn bit_string(bytes: &[u8]) -> SecretBytes {
    element(BIT_STRING, &[&[0], bytes])
}

/// The bits of a `KeyUsage` and the like: `unused` low bits of the one byte do not count.
pub(crate) fn flags(byte: u8, unused: u8) -> SecretBytes {
    element(BIT_STRING, &[&[unused, byte]])
}

/// An object identifier out of its numbers.
pub(crate) fn object_identifier(numbers: &[u32]) -> SecretBytes {
    let mut bytes = Vec::new();
    let (first, rest) = numbers.split_at(numbers.len().min(2));
    let joined = first.iter().fold(0, |joined, number| joined * 40 + number);
    for number in std::iter::once(joined).chain(rest.iter().copied()) {
        let groups = (0..5).rev().map(|group| (number >> (7 * group)) & 0x7f).collect::<Vec<_>>();
        let start = groups.iter().position(|group| *group != 0).unwrap_or(groups.len() - 1);
        let significant = groups.get(start..).unwrap_or_default();
        for (index, group) in significant.iter().enumerate() {
            let is_last = index + 1 == significant.len();
            bytes.push(u8::try_from(*group).unwrap_or_default() | if is_last { 0 } else { 0x80 });
        }
    }
    element(OBJECT_IDENTIFIER, &[&bytes])
}

/// The text form of RFC 7468, with lines of `width` characters.
pub(crate) fn pem(label: &str, der: &[u8], width: usize) -> SecretBytes {
    let text = zeroize::Zeroizing::new(STANDARD.encode(der));
    let mut pem = SecretBytes::with_capacity(text.len() + text.len() / width + 2 * label.len() + 40);
    pem.push(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in text.as_bytes().chunks(width) {
        pem.push(line);
        pem.push(b"\n");
    }
    pem.push(format!("-----END {label}-----\n").as_bytes());
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_numbers_and_identifiers_are_as_short_as_they_can_be() {
        assert_eq!(element(4, &[&[7; 127]]).reveal()[..2], [4, 127]);
        assert_eq!(element(4, &[&[7; 128]]).reveal()[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[&[7; 256]]).reveal()[..4], [4, 0x82, 1, 0]);
        assert_eq!(integer(&[0, 0, 5]).reveal(), [2, 1, 5]);
        assert_eq!(integer(&[0x80]).reveal(), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]).reveal(), [2, 1, 0]);
        assert_eq!(object_identifier(&[1, 2, 840, 10045, 2, 1]).reveal(), [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
    }
}
