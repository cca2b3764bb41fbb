//! Bytes that must not be seen: no `Debug`, no `Display`, overwritten when they are dropped.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret value. Who wants to look at it must say so by [`SecretBytes::reveal`].
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Room for `capacity` bytes, so that growing leaves no copy behind.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// The bytes themselves.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where they are UTF-8.
    pub fn reveal_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Appends to it.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            // A vector that grows by itself would leave its old bytes in freed memory.
            let mut larger = Vec::with_capacity((self.0.len() + bytes.len()).next_power_of_two());
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(bytes);
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl Clone for SecretBytes {
    fn clone(&self) -> Self {
        Self::from(self.reveal())
    }
}

/// Takes the same time wherever two secrets of one length differ.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.reveal().ct_eq(other.reveal()).into()
    }
}

impl Eq for SecretBytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_grows_and_is_compared() {
        let mut secret = SecretBytes::with_capacity(1);
        secret.push(b"a");
        secret.push(b"bcdef");
        assert_eq!(secret.reveal_text(), Some("abcdef"));
        assert!(secret == SecretBytes::from(&b"abcdef"[..]) && secret != SecretBytes::from(&b"abcdeg"[..]));
    }
}
