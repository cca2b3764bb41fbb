//! Slots that give a machine its key back: TPM, tang, passphrase, recovery key, and thresholds of them.

pub mod memory;
pub mod random;
pub mod tang;
pub mod tpm;
