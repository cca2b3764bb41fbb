//! Trying all slots of a file at the same time: servers side by side, the TPM in turn, and what was typed beside them.
//!
//! Threads that are still waiting when enough has opened are left to their own time limits; they hold no key by then.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::passphrase::{CostError, PassphraseLock};
use crate::shamir::{self, Secret, ShareError};
use crate::slot::{Lock, Slot, SlotFile, path_of};
use crate::surroundings::Surroundings;
use crate::tang::{self, TangError};
use crate::tpm::{self, SealError, TpmObject};
use crate::wrap::{Binding, unwrap};

/// The slot key, or a share of the threshold around a slot.
pub(crate) type Payload = Zeroizing<Vec<u8>>;

/// Why a slot does not open.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Tang(#[from] TangError),
    #[error("this machine has no TPM that could be asked")]
    NoTpm,
    #[error(transparent)]
    Tpm(#[from] SealError),
    #[error("nobody gave {what}")]
    NotGiven { what: &'static str },
    #[error("the passphrase is another")]
    Passphrase,
    #[error("the recovery key is another")]
    Recovery,
    #[error(transparent)]
    Cost(#[from] CostError),
    #[error("it was made for another machine, name or generation, or was changed since")]
    Altered,
    #[error("{opened} of its {threshold} slots opened")]
    TooFew { opened: usize, threshold: u8 },
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error("no answer within {} seconds", limit.as_secs())]
    Late { limit: Duration },
}

/// What came of each slot that is no threshold, by its path; those still tried are missing.
pub(crate) type Outcomes = BTreeMap<String, Result<Payload, Refusal>>;

/// An attempt under way.
pub(crate) struct Attempt {
    receiver: Receiver<(String, Result<Payload, Refusal>)>,
    deadline: Instant,
    limit: Duration,
    pub(crate) outcomes: Outcomes,
}

/// One slot that is tried, with all that its thread needs.
struct Leaf {
    path: String,
    lock: Lock,
    binding: Binding,
    wrapped: Vec<u8>,
}

impl Attempt {
    /// Begins to try every slot.
    pub(crate) fn begin(file: &SlotFile, surroundings: &Surroundings) -> Self {
        let mut leaves = Vec::new();
        gather(file, &file.slots, "", &mut leaves);
        let (sender, receiver) = channel();
        let (mut by_tpm, mut typed) = (Vec::new(), Vec::new());
        for leaf in leaves {
            match leaf.lock {
                Lock::Tpm2(_) => by_tpm.push(leaf),
                Lock::Passphrase(_) | Lock::Recovery => typed.push(leaf),
                // Thresholds are no leaves.
                Lock::Tang(_) | Lock::Threshold { .. } => start(vec![leaf], surroundings, &sender),
            }
        }
        // A TPM does one thing at a time, and hashing takes its memory once.
        start(by_tpm, surroundings, &sender);
        start(typed, surroundings, &sender);
        let limit = surroundings.limit;
        Self { receiver, deadline: Instant::now() + limit, limit, outcomes: Outcomes::new() }
    }

    /// Waits for the next slot to open or not; `false` when there is none left, or no time.
    pub(crate) fn step(&mut self) -> Result<bool, Refusal> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok((path, outcome)) => {
                self.outcomes.insert(path, outcome);
                Ok(true)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(false),
            Err(RecvTimeoutError::Timeout) => Err(Refusal::Late { limit: self.limit }),
        }
    }
}

/// What a slot holds, as far as is known: `None` while slots that it needs are still tried.
pub(crate) fn payload(
    file: &SlotFile,
    slot: &Slot,
    path: &str,
    outcomes: &Outcomes,
) -> Option<Result<Payload, Refusal>> {
    let Lock::Threshold { threshold, slots } = &slot.lock else {
        // The refusal itself stays with the outcomes, where it is told from.
        return outcomes.get(path).map(|outcome| outcome.as_ref().cloned().map_err(|_| Refusal::Altered));
    };
    let needed = usize::from(*threshold);
    let (mut shares, mut waiting) = (Vec::new(), 0);
    for inner in slots {
        match payload(file, inner, &path_of(path, &inner.name), outcomes) {
            Some(Ok(payload)) => shares.extend(share(&payload)),
            Some(Err(_)) => {}
            None => waiting += 1,
        }
    }
    if shares.len() >= needed {
        shares.truncate(needed);
        let binding = file.binding(path, &slot.lock);
        let secret = shamir::combine(&shares).map_err(Refusal::from);
        return Some(secret.and_then(|secret| unwrap(&secret, &binding, &slot.wrapped).ok_or(Refusal::Altered)));
    }
    let too_few = Refusal::TooFew { opened: shares.len(), threshold: *threshold };
    if shares.len() + waiting < needed { Some(Err(too_few)) } else { None }
}

fn share(payload: &[u8]) -> Option<shamir::Share> {
    let mut share = shamir::Share::new([0; shamir::SHARE_BYTES]);
    (payload.len() == share.len()).then(|| {
        share.copy_from_slice(payload);
        share
    })
}

fn gather(file: &SlotFile, slots: &[Slot], around: &str, into: &mut Vec<Leaf>) {
    for slot in slots {
        let path = path_of(around, &slot.name);
        if let Lock::Threshold { slots, .. } = &slot.lock {
            gather(file, slots, &path, into);
            continue;
        }
        let binding = file.binding(&path, &slot.lock);
        into.push(Leaf { path, lock: slot.lock.clone(), binding, wrapped: slot.wrapped.clone() });
    }
}

/// Tries these one after another, beside everything else.
fn start(leaves: Vec<Leaf>, surroundings: &Surroundings, sender: &Sender<(String, Result<Payload, Refusal>)>) {
    if leaves.is_empty() {
        return;
    }
    let (surroundings, sender) = (surroundings.clone(), sender.clone());
    thread::spawn(move || {
        for leaf in leaves {
            let outcome = leaf.open(&surroundings);
            if sender.send((leaf.path, outcome)).is_err() {
                // Enough has opened, and nobody listens any more.
                return;
            }
        }
    });
}

impl Leaf {
    fn open(&self, surroundings: &Surroundings) -> Result<Payload, Refusal> {
        let (secret, otherwise) = match &self.lock {
            Lock::Tpm2(object) => (by_tpm(object, surroundings)?, Refusal::Altered),
            Lock::Tang(jwe) => {
                let plain = tang::recover(jwe, &surroundings.http, &surroundings.random)?;
                (secret_of(&plain)?, Refusal::Altered)
            }
            Lock::Passphrase(lock) => (by_passphrase(lock, surroundings)?, Refusal::Passphrase),
            Lock::Recovery => {
                let key = surroundings.recovery.as_ref().ok_or(Refusal::NotGiven { what: "a recovery key" })?;
                (key.secret(), Refusal::Recovery)
            }
            // Thresholds are no leaves.
            Lock::Threshold { threshold, .. } => return Err(Refusal::TooFew { opened: 0, threshold: *threshold }),
        };
        unwrap(&secret, &self.binding, &self.wrapped).ok_or(otherwise)
    }
}

fn by_tpm(object: &TpmObject, surroundings: &Surroundings) -> Result<Secret, Refusal> {
    let address = surroundings.tpm.as_ref().ok_or(Refusal::NoTpm)?;
    secret_of(&tpm::unseal(address, object, &surroundings.policies, &surroundings.random)?)
}

fn by_passphrase(lock: &PassphraseLock, surroundings: &Surroundings) -> Result<Secret, Refusal> {
    let passphrase = surroundings.passphrase.as_ref().ok_or(Refusal::NotGiven { what: "a passphrase" })?;
    Ok(lock.secret(passphrase.expose())?)
}

fn secret_of(bytes: &[u8]) -> Result<Secret, Refusal> {
    let mut secret = Secret::default();
    if bytes.len() != secret.len() {
        return Err(Refusal::Altered);
    }
    secret.copy_from_slice(bytes);
    Ok(secret)
}
