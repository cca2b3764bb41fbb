//! A file of slots: each of them gives the same slot key back, in its own way.

mod document;
mod error;
mod tpm_document;

pub(crate) use document::name as check_name;
pub use document::{parse, print};
pub use error::SlotFileError;
pub use tpm_document::{parse_policies, parse_tpm_key, print_policies, print_tpm_key};

use crate::passphrase::PassphraseLock;
use crate::tpm::TpmObject;
use crate::wrap::Binding;

/// The slots of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFile {
    /// The machine it was made for; every slot is bound to the name.
    pub machine: String,
    /// Of the slot key: another one with each new key.
    pub generation: u32,
    /// Whom to encrypt to so that the slot key opens it, `age1…`.
    pub recipient: String,
    pub slots: Vec<Slot>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub name: String,
    pub lock: Lock,
    /// The slot key, or a share of the threshold around this slot, wrapped by what the lock gives.
    pub(crate) wrapped: Vec<u8>,
}

/// What it takes to open a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// This machine's TPM, in a state that a policy names.
    Tpm2(TpmObject),
    /// The help of a tang server, by a JWE as clevis writes it.
    Tang(String),
    /// Something typed.
    Passphrase(PassphraseLock),
    /// Something printed.
    Recovery,
    /// So many of these.
    Threshold { threshold: u8, slots: Vec<Slot> },
}

impl Lock {
    /// The kind's name in the file, for people, and in what slots are bound to.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tpm2(_) => "tpm2",
            Self::Tang(_) => "tang",
            Self::Passphrase(_) => "passphrase",
            Self::Recovery => "recovery",
            Self::Threshold { .. } => "threshold",
        }
    }
}

impl SlotFile {
    pub(crate) fn binding(&self, path: &str, lock: &Lock) -> Binding {
        match lock {
            // How many it takes is not to be changed either.
            Lock::Threshold { threshold, slots } => {
                let kind = format!("threshold {threshold} of {}", slots.len());
                Binding::new(&self.machine, path, &kind, self.generation)
            }
            other => Binding::new(&self.machine, path, other.kind(), self.generation),
        }
    }
}

/// The name of a slot within the one around it: `servers/tang-a`.
pub(crate) fn path_of(around: &str, name: &str) -> String {
    if around.is_empty() { name.to_owned() } else { format!("{around}/{name}") }
}
