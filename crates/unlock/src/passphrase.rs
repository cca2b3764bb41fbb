//! Passphrases: Argon2id makes a key of one, slowly and in much memory on purpose.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::random::{NoRandomness, Randomness};
use crate::shamir::Secret;

pub(crate) const SALT_BYTES: usize = 16;

/// How a passphrase becomes a key; kept with the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseLock {
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) cost: PassphraseCost,
}

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for PassphraseCost {
    /// 256 MiB and three passes: about a second. One lane, so that the time is the same on every machine.
    fn default() -> Self {
        Self { memory_kib: 256 << 10, passes: 3 }
    }
}

/// A cost that Argon2 has no answer to.
#[derive(Debug, thiserror::Error)]
#[error("{} KiB of memory and {} passes: {cause}", cost.memory_kib, cost.passes)]
pub struct CostError {
    cost: PassphraseCost,
    cause: String,
}

impl PassphraseLock {
    pub(crate) fn new(cost: PassphraseCost, random: &Randomness) -> Result<Self, NoRandomness> {
        Ok(Self { salt: *random.bytes()?, cost })
    }

    pub(crate) fn secret(&self, passphrase: &[u8]) -> Result<Secret, CostError> {
        const LANES: u32 = 1;
        let wrong = |cause: argon2::Error| CostError { cost: self.cost, cause: cause.to_string() };
        let mut secret = Secret::default();
        let length = secret.len();
        let params = Params::new(self.cost.memory_kib, self.cost.passes, LANES, Some(length)).map_err(wrong)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        hash.hash_password_into(passphrase, &self.salt, secret.as_mut()).map_err(wrong)?;
        Ok(secret)
    }
}
