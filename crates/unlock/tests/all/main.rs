//! The room against the real programs: tangd, clevis, a TPM in software and its tools.
#![cfg(test)]

mod clevis;
mod failures;
mod golden;
mod image;
mod slots;
mod surroundings;
#[path = "../../../../tests/support/swtpm.rs"]
mod swtpm;
mod tag;
mod tang;
#[path = "../../../../tests/support/tang.rs"]
mod tang_server;
mod tools;
mod tpm;
mod waiting;
mod wire;
