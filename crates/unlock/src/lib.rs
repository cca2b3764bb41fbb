//! Slots that give a machine its key back: TPM, tang, passphrase, recovery key, and thresholds of them.
//!
//! [`create`] and [`add`] make slots, [`open`] tries all of them at the same time and returns the slot key by the first that
//! opens, [`explain`] says of each whether it would and why not, and [`lint`] whether the file is fit to be relied on.

mod add;
mod attempt;
#[cfg(test)]
mod hostile;
mod key;
pub mod lint;
pub mod memory;
mod open;
mod passphrase;
pub mod random;
mod recovery;
mod shamir;
pub mod slot;
mod surroundings;
mod tag;
pub mod tang;
pub mod tpm;
mod wrap;

pub use add::{AddError, NewLock, NewSlot, Printed, add, create, remove};
pub use attempt::Refusal;
pub use key::{SlotKey, SlotKeyError};
pub use open::{OpenError, Opened, Outcome, SlotReport, explain, open, opens};
pub use passphrase::{CostError, PassphraseCost};
pub use recovery::{RecoveryError, RecoveryKey};
pub use shamir::ShareError;
pub use surroundings::{Surroundings, tang_client};
pub use tag::{TagError, TagIdentity, recipient as tag_recipient};
