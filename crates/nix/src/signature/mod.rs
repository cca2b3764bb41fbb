//! Signatures of caches: Ed25519 under a name, as `name:base64` ([format](../../../docs/formats/signature.md)).
//!
//! Verifying gives a [`Verified`] or an error, never a `bool`.

mod error;
mod name;
mod public;
mod secret;
#[cfg(test)]
mod tests;
mod text;
mod verified;

pub use error::{KeyError, SignatureError};
pub use name::KeyName;
pub use public::{PublicKey, TrustedKeys};
pub use secret::SecretKey;
pub use text::Signature;
pub use verified::{Proof, Verified};
