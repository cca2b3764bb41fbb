//! Locks that span servers, and acts done by who holds one.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::error::RecordsError;
use super::postgres::Shared;
use super::{Records, Store};

/// A lock that is held, and the records as its holder asks them. A single server needs none; there it is the records.
#[derive(Debug)]
pub(crate) enum Held<'r> {
    Embedded(&'r Records),
    Session(Records),
}

impl Deref for Held<'_> {
    type Target = Records;

    fn deref(&self) -> &Records {
        match self {
            Self::Embedded(records) => records,
            Self::Session(records) => records,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Self::Session(Records(Store::Session { postgres, session })) = self {
            let session = std::mem::take(session.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
            postgres.release(session);
        }
    }
}

impl Records {
    /// Takes a lock that all servers share, alone or with others, until the end of what is returned.
    pub(crate) fn hold(&self, lock: Shared, alone: bool) -> Result<Held<'_>, RecordsError> {
        let Some(postgres) = self.shared() else { return Ok(Held::Embedded(self)) };
        let session = Mutex::new(postgres.hold(lock, alone)?);
        Ok(Held::Session(Self(Store::Session { postgres: Arc::clone(postgres), session })))
    }

    /// Whether a lock that was taken is held still: the database did not end meanwhile.
    pub(crate) fn is_held(&self) -> bool {
        match &self.0 {
            Store::Session { session, .. } => super::lock(session).answers(),
            Store::Embedded(_) | Store::Shared(_) => true,
        }
    }

    /// Takes the part of a server in the database, or, alone, that of the only one; whether it could be had.
    pub(crate) fn serve(&self, alone: bool) -> Result<bool, RecordsError> {
        self.shared().map_or(Ok(true), |postgres| postgres.serve(alone))
    }

    /// Whether no other server runs.
    pub(crate) fn serves_alone(&self) -> Result<bool, RecordsError> {
        self.shared().map_or(Ok(true), |postgres| postgres.serves_alone())
    }

    /// Waits for changes by other servers, at most for `patience`; `false` where there are none.
    pub(crate) fn wait(&self, patience: Duration) -> Result<bool, RecordsError> {
        match self.shared() {
            Some(postgres) => postgres.wait(patience).map(|()| true),
            None => Ok(false),
        }
    }
}
