//! Connections to the database that are lent.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aux_core::limits::CACHE_DATABASE_SECONDS_MAX;

use super::super::error::{RecordsError, classified};
use super::{Place, Session};

const PATIENCE: Duration = Duration::from_secs(CACHE_DATABASE_SECONDS_MAX);
/// After a connection was refused nobody else tries for this long, so that no thread waits for what is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Connections, at most so many at a time.
#[derive(Debug)]
pub(super) struct Pool {
    place: Place,
    sessions_max: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Session>,
    lent: usize,
    /// Until when nobody tries, and what the last one was told.
    away: Option<(Instant, String)>,
}

impl Pool {
    pub(super) fn new(place: Place, sessions_max: usize) -> Self {
        Self { place, sessions_max, state: Mutex::default(), freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that works, as far as is known; waits for one where all are lent.
    pub(super) fn lend(&self) -> Result<Lent<'_>, RecordsError> {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        let idle = loop {
            if state.lent < self.sessions_max {
                state.lent += 1;
                break state.idle.pop();
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let cause = format!("all {} connections were in use for {} s", self.sessions_max, PATIENCE.as_secs());
                return Err(RecordsError::Busy { server: self.place.shown().to_owned(), cause });
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        // The database may have ended and begun again since it was used last; asking costs little.
        let mut idle = idle.filter(Session::is_whole);
        let is_well = idle.as_mut().is_some_and(Session::answers);
        let session = match idle.filter(|_| is_well) {
            Some(session) => session,
            None => self.connect().inspect_err(|_| self.give_back(None))?,
        };
        Ok(Lent { pool: self, session, is_kept: false })
    }

    pub(super) fn give_back(&self, session: Option<Session>) {
        let session = session.filter(Session::is_whole);
        let mut state = self.state();
        state.lent = state.lent.saturating_sub(1);
        state.idle.extend(session);
        drop(state);
        self.freed.notify_one();
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Result<Session, RecordsError> {
        let server = self.place.shown().to_owned();
        if let Some((until, cause)) = &self.state().away
            && Instant::now() < *until
        {
            return Err(RecordsError::Away { server, cause: cause.clone() });
        }
        let opened = self.place.connect().and_then(|mut client| {
            client.batch_execute(&settings())?;
            Ok(client)
        });
        match opened {
            Ok(client) => {
                self.state().away = None;
                Ok(Session::new(client, server))
            }
            Err(error) => {
                let error = classified(&server, &error);
                if let RecordsError::Away { cause, .. } = &error {
                    self.state().away = Some((Instant::now() + PAUSE, cause.clone()));
                }
                Err(error)
            }
        }
    }
}

/// No statement and no lock is waited for without end, and who is gone is noticed, with the locks that it held.
fn settings() -> String {
    let seconds = CACHE_DATABASE_SECONDS_MAX;
    format!(
        "SET search_path = aux_cache; SET statement_timeout = '{seconds}s'; SET idle_in_transaction_session_timeout = \
         '{seconds}s'; SET tcp_keepalives_idle = {seconds}; SET tcp_keepalives_interval = 10; \
         SET tcp_keepalives_count = 3; SET client_min_messages = warning"
    )
}

/// A connection that is given back when this ends.
#[derive(Debug)]
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    session: Session,
    is_kept: bool,
}

impl Lent<'_> {
    /// The connection itself, for who gives it back by hand.
    pub(super) fn keep(mut self) -> Session {
        self.is_kept = true;
        std::mem::take(&mut self.session)
    }
}

impl std::ops::Deref for Lent<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::ops::DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.pool.give_back(Some(std::mem::take(&mut self.session)));
        }
    }
}
