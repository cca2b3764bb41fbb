//! Secrets that are derived from one seed, declared in one file, rotated by numbers, and delivered as age files.
//!
//! [`derive`] is the key tree, [`kinds`] makes typed values of its leaves. Nothing here reads the clock, the environment or
//! randomness: what is random is handed in.

mod der;
pub mod derive;
pub mod gokey;
mod hex;
pub mod kinds;
pub mod secret;

pub use derive::{Check, FleetId, Label, Leaf, NodeKind, ScopeKey, Seed};
pub use secret::SecretBytes;
