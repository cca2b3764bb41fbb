//! NARs that were sent lately: asked for again, they need no look into the index, and what was checked of them is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aux_core::limits::CACHE_OPENED_BYTES_MAX;
use aux_nix::Sha256;

use super::Reading;

/// The NARs of two generations: what nobody asks for while one fills up is gone with it.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<Sha256, Arc<Reading>>,
    old: BTreeMap<Sha256, Arc<Reading>>,
    /// Of memory that the young ones take.
    bytes: usize,
}

impl Opened {
    /// One that was sent before, whose packs are still believed to be there, and which was not found damaged.
    pub(super) fn find(&self, nar_hash: Sha256, now: Instant) -> Option<Arc<Reading>> {
        let mut generations = self.generations();
        if let Some(reading) = generations.young.get(&nar_hash) {
            return Some(Arc::clone(reading)).filter(|reading| reading.is_good(now));
        }
        let reading = generations.old.remove(&nar_hash).filter(|reading| reading.is_good(now))?;
        generations.keep(nar_hash, &reading);
        Some(reading)
    }

    pub(super) fn keep(&self, nar_hash: Sha256, reading: &Arc<Reading>) {
        self.generations().keep(nar_hash, reading);
    }

    /// Lets go of all, and so of the packs that only they have open.
    pub(super) fn forget(&self) {
        *self.generations() = Generations::default();
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn keep(&mut self, nar_hash: Sha256, reading: &Arc<Reading>) {
        self.bytes += reading.memory_bytes();
        if let Some(before) = self.young.insert(nar_hash, Arc::clone(reading)) {
            self.bytes -= before.memory_bytes();
        }
        if self.bytes > CACHE_OPENED_BYTES_MAX / 2 {
            (self.old, self.bytes) = (std::mem::take(&mut self.young), 0);
        }
    }
}
