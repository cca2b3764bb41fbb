//! Secrets that are derived from one seed, declared in one file, rotated by numbers, and delivered as age files.
//!
//! [`mod@derive`] is the key tree, [`kinds`] makes typed values of its leaves; [`declaration`] is what people write, [`manifest`] what
//! is committed. Nothing here reads the clock, the environment or randomness: what is random is handed in.

pub mod acts;
pub mod age_file;
pub mod credential;
pub mod declaration;
pub mod delivery;
mod der;
pub mod derive;
pub mod envelope;
pub mod gokey;
#[cfg(test)]
mod hostile;
pub mod install;
pub mod keyring;
pub mod kinds;
pub mod manifest;
pub mod memory;
pub mod repository;
pub mod sandbox;
pub mod secret;
pub mod secret_file;
pub mod sops;
pub mod sshsig;
pub mod units;

pub use age_file::{Device, Identities, KeptIdentities, Recipient};
pub use declaration::{Declaration, Holder};
pub use derive::{Check, FleetId, Label, Leaf, NodeKind, ScopeKey, Seed};
pub use keyring::Keyring;
pub use manifest::Manifest;
pub use repository::Repository;
pub use secret::SecretBytes;
pub use sshsig::Signer;
