//! Where the database is, and connections to it that are lent.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aux_core::limits::CACHE_DATABASE_SECONDS_MAX;
use postgres::config::Host;
use postgres::{Config, NoTls};
use zeroize::Zeroizing;

use super::super::error::{RecordsError, classified};
use super::Session;

/// A file with a password, bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(CACHE_DATABASE_SECONDS_MAX);
/// After a connection was refused nobody else tries for this long, so that no thread waits for what is away.
const PAUSE: Duration = Duration::from_millis(500);

/// A database of `PostgreSQL` and how to get into it. It has no `Debug` of the password.
#[derive(Clone)]
pub struct Place {
    config: Box<Config>,
    shown: String,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// Why an address names no database that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    #[error("is no address of a database, like postgres://USER@HOST/NAME: {0}")]
    Malformed(String),
    #[error("holds a password, which everybody on this machine can see; put it into a file and name that file")]
    Password,
    #[error("names no host; for a socket write postgres:///NAME?host=/run/postgresql&user=USER")]
    NoHost,
    #[error(
        "asks for {host} without encryption; only sockets and this machine itself (localhost, 127.0.0.1, ::1) may be \
         asked so, for others put a tunnel before them"
    )]
    Plain { host: String },
}

impl Place {
    /// Reads `postgres://USER@HOST:PORT/NAME`. The password is never part of it.
    pub fn parse(address: &str, password: Option<&[u8]>) -> Result<Self, PlaceError> {
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(PlaceError::Malformed("it does not begin with postgres://".to_owned()));
        }
        // What is wrong is told without the text itself, which may hold what should not be shown.
        let mut config: Config = address.parse().map_err(|error: postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            PlaceError::Malformed(cause.unwrap_or_else(|| error.to_string()))
        })?;
        if config.get_password().is_some() {
            return Err(PlaceError::Password);
        }
        let is_near = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        };
        if config.get_hosts().is_empty() {
            return Err(PlaceError::NoHost);
        }
        if let Some(Host::Tcp(host)) = config.get_hosts().iter().find(|host| !is_near(host)) {
            return Err(PlaceError::Plain { host: host.clone() });
        }
        let shown = shown(&config);
        config.application_name("aux-server").connect_timeout(CONNECT).tcp_user_timeout(PATIENCE);
        config.keepalives_idle(PATIENCE).ssl_mode(postgres::config::SslMode::Disable);
        if let Some(password) = password {
            config.password(password);
        }
        Ok(Self { config: Box::new(config), shown })
    }
}

/// Reads a password from the first line of a file that nobody else may read. The error is a sentence for a person.
pub fn password(file: &Path) -> Result<Zeroizing<String>, String> {
    use std::os::unix::fs::MetadataExt;
    let shown = file.display();
    let unread = |cause: String| format!("{shown}: {cause}");
    let metadata = std::fs::metadata(file).map_err(|error| unread(error.to_string()))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(unread("others may read this password; `chmod 600` it".to_owned()));
    }
    let bytes = aux_io::input::read(file, PASSWORD_BYTES_MAX).map_err(|error| unread(error.message()))?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| unread("is no text".to_owned()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(unread("its first line is empty".to_owned())),
    }
}

/// Host and name, for errors.
fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Unix(path)) => path.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => String::new(),
    };
    format!("postgres {} at {host}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}

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
                return Err(RecordsError::Busy { server: self.place.shown.clone(), cause });
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
        let server = self.place.shown.clone();
        if let Some((until, cause)) = &self.state().away
            && Instant::now() < *until
        {
            return Err(RecordsError::Away { server, cause: cause.clone() });
        }
        let opened = self.place.config.connect(NoTls).and_then(|mut client| {
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
