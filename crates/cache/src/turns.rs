//! Turns: who may keep, remove and change what, when, within this server and among all servers of one store.
//!
//! Each is a lock of this process and, where several servers share the records, one of their database. Whoever has both
//! has seen what the other servers did, and nothing it relies on changes until it lets go. Acts are done through what is
//! returned: should the database end meanwhile, and with it the lock, they fail rather than succeed without it.

use std::ops::Deref;
use std::sync::{MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use crate::cache::Cache;
use crate::records::{Held, Records, RecordsError, Shared};

/// The right to keep NARs and commit paths, together with others; or, alone, to remove and hide them.
pub(crate) struct Keeping<'c> {
    _here: Here<'c>,
    records: Held<'c>,
}

enum Here<'c> {
    With { _guard: RwLockReadGuard<'c, ()> },
    Alone { _guard: RwLockWriteGuard<'c, ()> },
}

/// The right to change views, alone.
pub(crate) struct ChangingViews<'c> {
    records: Held<'c>,
    _here: MutexGuard<'c, ()>,
}

impl Deref for Keeping<'_> {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.records
    }
}

impl Deref for ChangingViews<'_> {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.records
    }
}

impl Cache {
    /// Until this is dropped nothing that is kept is removed, and nothing is hidden or read anew.
    pub(crate) fn keeping(&self) -> Result<Keeping<'_>, RecordsError> {
        // The database's lock comes first: who waits for another server must not hold up this one.
        let records = self.records.hold(Shared::Keeping, false)?;
        self.catch_up()?;
        let guard = self.keeping.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Keeping { _here: Here::With { _guard: guard }, records })
    }

    /// Until this is dropped nobody keeps or commits anything.
    pub(crate) fn keeping_alone(&self) -> Result<Keeping<'_>, RecordsError> {
        let records = self.records.hold(Shared::Keeping, true)?;
        self.catch_up()?;
        let guard = self.keeping.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Keeping { _here: Here::Alone { _guard: guard }, records })
    }

    /// Holds others back from changing views until it is dropped.
    pub(crate) fn changing_views(&self) -> Result<ChangingViews<'_>, RecordsError> {
        // Here this server's own lock comes first, so that one connection at a time waits for the other servers.
        let here = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let records = self.records.hold(Shared::Views, true)?;
        self.catch_up()?;
        Ok(ChangingViews { records, _here: here })
    }
}
