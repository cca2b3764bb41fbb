//! `ENC`: fields with their lengths, so that no two lists of fields have the same bytes.

use sha2::{Digest as _, Sha256};

/// A list of fields as bytes: for each its length (16 bits, big-endian) and then itself. A number is four bytes, big-endian.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// Begins with the version of the scheme, as every list does.
    pub fn new() -> Self {
        Self::default().text(super::tree::SCHEME)
    }

    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        // Fields are labels, words of this program and digests; `Label` keeps them far below this bound.
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        let field = field.get(..usize::from(length)).unwrap_or(field);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    #[must_use]
    pub fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    #[must_use]
    pub fn number(self, field: u32) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the list.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_stands_behind_its_length() {
        let fields = Fields::default().text("ab").number(7).text("");
        assert_eq!(fields.as_bytes(), b"\0\x02ab\0\x04\0\0\0\x07\0\0");
    }

    proptest! {
        #[test]
        fn two_lists_that_differ_have_different_bytes(one in fields(), other in fields()) {
            let encoded = |list: &[Vec<u8>]| list.iter().fold(Fields::default(), |all, field| all.bytes(field)).0;
            prop_assert_eq!(one == other, encoded(&one) == encoded(&other));
        }
    }

    fn fields() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(0_u8..3, 0..3), 0..4)
    }
}
