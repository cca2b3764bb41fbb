//! The scrubber: NARs are read and hashed one after the other, slowly and all the time, so that damage is known before
//! somebody asks for what it hit.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aux_core::limits::CACHE_SCRUB_DAMAGED_MAX;
use aux_nix::Sha256;

use crate::cache::Cache;
use crate::check::{Checked, OrderError};

/// How far it is, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Scrub(Mutex<Scrubbed>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    /// The NAR that was looked at last in this round.
    last: Option<Sha256>,
    /// NARs looked at since the start.
    pub objects: u64,
    /// Times that all were looked at.
    pub rounds: u64,
    /// What was damaged when it was last looked at, and how.
    pub damaged: BTreeMap<String, String>,
}

impl Scrub {
    pub(crate) fn now(&self) -> Scrubbed {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, Scrubbed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Looks at the next NAR; the bytes it has, `None` at the end of a round.
    pub(crate) fn scrub(&self) -> Result<Option<u64>, OrderError> {
        let last = self.scrub.state().last;
        let Some(object) = self.records.object_after(last)? else {
            let mut state = self.scrub.state();
            (state.last, state.rounds) = (None, state.rounds + 1);
            return Ok(None);
        };
        let mut checked = Checked::default();
        self.check_object(&object, &mut checked);
        let mut state = self.scrub.state();
        (state.last, state.objects) = (Some(object.nar_hash), state.objects + 1);
        let name = object.nar_hash.nix32();
        match checked.problems.pop() {
            None => drop(state.damaged.remove(&name)),
            Some(wrong) => {
                tracing::error!("the NAR {name} is damaged: {}; push its path again", wrong.detail);
                if state.damaged.len() < CACHE_SCRUB_DAMAGED_MAX {
                    state.damaged.insert(name, wrong.detail);
                }
            }
        }
        Ok(Some(object.file_size))
    }
}
