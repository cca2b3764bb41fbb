//! Making slots: the first of a machine, which brings a new slot key, and more for a key that another slot gave back.

use std::sync::Arc;

use aux_core::limits::SLOTS_MAX;

use crate::key::{SlotKey, SlotKeyError};
use crate::memory::SecretBytes;
use crate::passphrase::{CostError, PassphraseCost, PassphraseLock};
use crate::random::NoRandomness;
use crate::recovery::{RecoveryError, RecoveryKey};
use crate::shamir::{self, Secret, ShareError};
use crate::slot::{Lock, Slot, SlotFile, SlotFileError, check_name, path_of};
use crate::surroundings::Surroundings;
use crate::tang::{self, Advertisement, TangError};
use crate::tpm::{self, Policy, SealError};
use crate::wrap::wrap;

/// A slot to be made.
pub struct NewSlot {
    pub name: String,
    pub lock: NewLock,
}

/// What it is to take to open it.
pub enum NewLock {
    Tpm2(Policy),
    /// A server, and the advertisement of it that somebody trusts.
    Tang {
        url: String,
        trusted: Advertisement,
    },
    Passphrase {
        passphrase: Arc<SecretBytes>,
        cost: PassphraseCost,
    },
    Recovery,
    Threshold {
        threshold: u8,
        slots: Vec<NewSlot>,
    },
}

/// A recovery key that was made with a slot; it is shown this once.
pub struct Printed {
    pub path: String,
    pub key: RecoveryKey,
}

/// Why a slot is not made.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error(transparent)]
    Name(#[from] SlotFileError),
    #[error("there is a slot {name} already")]
    Exists { name: String },
    #[error("there is no slot {name}")]
    Missing { name: String },
    #[error("{name} is the only slot; without it nothing opens")]
    Last { name: String },
    #[error("more than {SLOTS_MAX} slots (SLOTS_MAX)")]
    TooMany,
    #[error("the key is not that of the file, whose recipient is {recipient}")]
    OtherKey { recipient: String },
    #[error("this machine has no TPM that could be asked")]
    NoTpm,
    #[error(transparent)]
    Tpm(#[from] SealError),
    #[error(transparent)]
    Tang(#[from] TangError),
    #[error(transparent)]
    Cost(#[from] CostError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Key(#[from] SlotKeyError),
}

/// Makes a file with a new slot key and its first slot.
pub fn create(new: NewSlot, surroundings: &Surroundings) -> Result<(SlotFile, SlotKey, Vec<Printed>), AddError> {
    check_name(&surroundings.machine)?;
    let key = SlotKey::generate(&surroundings.random)?;
    let machine = surroundings.machine.clone();
    let mut file = SlotFile { machine, generation: 1, recipient: key.recipient()?, slots: Vec::new() };
    let printed = add(&mut file, &key, new, surroundings)?;
    Ok((file, key, printed))
}

/// Adds a slot for a key that another slot gave back. The file is changed when all of it worked.
pub fn add(
    file: &mut SlotFile,
    key: &SlotKey,
    new: NewSlot,
    surroundings: &Surroundings,
) -> Result<Vec<Printed>, AddError> {
    if key.recipient()? != file.recipient {
        return Err(AddError::OtherKey { recipient: file.recipient.clone() });
    }
    if file.slots.iter().any(|slot| slot.name == new.name) {
        return Err(AddError::Exists { name: new.name });
    }
    let mut maker = Maker { file, surroundings, printed: Vec::new(), count: count(&file.slots) };
    let slot = maker.slot(new, "", key.expose())?;
    let printed = maker.printed;
    file.slots.push(slot);
    Ok(printed)
}

/// Removes a slot, except the last. Whoever has a copy of the file still has the slot: only a new slot key ends that.
pub fn remove(file: &mut SlotFile, name: &str) -> Result<(), AddError> {
    let missing = || AddError::Missing { name: name.to_owned() };
    let index = file.slots.iter().position(|slot| slot.name == name).ok_or_else(missing)?;
    if file.slots.len() == 1 {
        return Err(AddError::Last { name: name.to_owned() });
    }
    file.slots.remove(index);
    Ok(())
}

/// How many slots these are, with those inside thresholds.
pub(crate) fn count(slots: &[Slot]) -> usize {
    let inner = |slot: &Slot| match &slot.lock {
        Lock::Threshold { slots, .. } => count(slots),
        _ => 0,
    };
    slots.iter().map(|slot| 1 + inner(slot)).sum()
}

struct Maker<'a> {
    file: &'a SlotFile,
    surroundings: &'a Surroundings,
    printed: Vec<Printed>,
    count: usize,
}

impl Maker<'_> {
    /// Makes a slot that holds `payload`.
    fn slot(&mut self, new: NewSlot, around: &str, payload: &[u8]) -> Result<Slot, AddError> {
        check_name(&new.name)?;
        self.count += 1;
        if self.count > SLOTS_MAX {
            return Err(AddError::TooMany);
        }
        let path = path_of(around, &new.name);
        let (lock, secret) = self.lock(new.lock, &path)?;
        let wrapped = wrap(&secret, &self.file.binding(&path, &lock), payload, &self.surroundings.random)?;
        Ok(Slot { name: new.name, lock, wrapped })
    }

    /// Makes a lock, and the secret that it gives back.
    fn lock(&mut self, new: NewLock, path: &str) -> Result<(Lock, Secret), AddError> {
        let Surroundings { random, tpm: address, .. } = self.surroundings;
        let fresh = || random.bytes::<{ shamir::SECRET_BYTES }>();
        match new {
            NewLock::Tpm2(policy) => {
                let (secret, address) = (fresh()?, address.as_ref().ok_or(AddError::NoTpm)?);
                Ok((Lock::Tpm2(tpm::seal(address, &policy, secret.as_ref(), random)?), secret))
            }
            NewLock::Tang { url, trusted } => {
                let secret = fresh()?;
                Ok((Lock::Tang(tang::bind(&url, &trusted, secret.as_ref(), random)?), secret))
            }
            NewLock::Passphrase { passphrase, cost } => {
                let lock = PassphraseLock::new(cost, random)?;
                let secret = lock.secret(passphrase.expose())?;
                Ok((Lock::Passphrase(lock), secret))
            }
            NewLock::Recovery => {
                let key = RecoveryKey::generate(random)?;
                let secret = key.secret();
                self.printed.push(Printed { path: path.to_owned(), key });
                Ok((Lock::Recovery, secret))
            }
            NewLock::Threshold { threshold, slots } => self.threshold(threshold, slots, path, fresh()?),
        }
    }

    fn threshold(
        &mut self,
        threshold: u8,
        new: Vec<NewSlot>,
        path: &str,
        secret: Secret,
    ) -> Result<(Lock, Secret), AddError> {
        let shares = shamir::split(&secret, threshold, new.len(), &self.surroundings.random)?;
        let mut slots: Vec<Slot> = Vec::new();
        for (inner, share) in new.into_iter().zip(shares) {
            if slots.iter().any(|slot| slot.name == inner.name) {
                return Err(AddError::Exists { name: path_of(path, &inner.name) });
            }
            slots.push(self.slot(inner, path, share.as_ref())?);
        }
        Ok((Lock::Threshold { threshold, slots }, secret))
    }
}
