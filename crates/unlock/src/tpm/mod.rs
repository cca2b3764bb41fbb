//! A client of TPM 2.0 of our own: the commands that sealing, counting and key exchange need, and no more.

mod authority;
mod constant;
mod device;
mod error;
mod key_derivation;
mod object;
mod policy;
mod public;
mod register;
mod seal;
mod session;
mod wire;

use std::collections::BTreeMap;

use aux_io::tpm::TpmAddress;

pub use authority::{AuthorityError, PolicyKey, PolicySigner};
pub use error::TpmError;
pub use policy::{CounterBound, Statement};
pub use seal::{Policy, SealError, SignedPolicy, TpmObject, exchange, make_key, public_key, seal, unseal};

pub(crate) use key_derivation::{digest, hmac};
pub(crate) use object::Wrapped;
pub(crate) use public::uncompressed;
pub(crate) use register::REGISTERS;

use crate::random::Randomness;
use device::Tpm;

/// The values of registers (PCRs) in the bank of SHA-256.
pub fn registers(address: &TpmAddress, wanted: &[u8], random: &Randomness) -> Result<BTreeMap<u8, [u8; 32]>, TpmError> {
    Tpm::open(address, random)?.registers(wanted)
}

/// Extends a register: after an unlock, so that nothing sealed to it opens again before the next start.
pub fn extend(address: &TpmAddress, register: u8, measurement: &[u8; 32], random: &Randomness) -> Result<(), TpmError> {
    Tpm::open(address, random)?.extend(register, measurement)
}

/// The value of a counter; `None` where this TPM has none there that this program made.
pub fn counter(address: &TpmAddress, index: u32, random: &Randomness) -> Result<Option<u64>, TpmError> {
    Tpm::open(address, random)?.counter(index)
}

/// Counts on by one, and makes the counter where it is not there.
pub fn count(address: &TpmAddress, index: u32, random: &Randomness) -> Result<u64, TpmError> {
    Tpm::open(address, random)?.count(index)
}

/// What the TPM itself makes of a statement that holds: the same as [`Statement::digest`].
pub fn trial(address: &TpmAddress, statement: &Statement, random: &Randomness) -> Result<[u8; 32], TpmError> {
    Tpm::open(address, random)?.trial_digest(statement)
}
