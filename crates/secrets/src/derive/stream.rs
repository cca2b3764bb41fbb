//! The stream of a leaf: the keystream of ChaCha20 (RFC 8439, section 2.4) under a zero nonce, from block zero.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

const BLOCK_BYTES: usize = 64;

/// Bytes that never end, as far as a secret is concerned: the counter has 32 bits, which is 256 GiB.
pub struct Stream {
    cipher: ChaCha20,
    block: Zeroizing<[u8; BLOCK_BYTES]>,
    used: usize,
}

impl Stream {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let cipher = ChaCha20::new(key.into(), &[0; 12].into());
        Self { cipher, block: Zeroizing::new([0; BLOCK_BYTES]), used: BLOCK_BYTES }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        if self.used == BLOCK_BYTES {
            self.block.fill(0);
            self.cipher.apply_keystream(self.block.as_mut_slice());
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }

    /// The next bytes, as many as fit.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.byte());
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        self.fill(bytes.as_mut_slice());
        bytes
    }
}
