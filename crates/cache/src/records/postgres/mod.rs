//! Records in `PostgreSQL`, for several servers at once.
//!
//! Acts that change something come one after another here as they do in the embedded store: each takes the same advisory
//! lock for its transaction. So an act never fails half-way because of another server, numbers grow in the order of
//! commits, and whoever follows the changes by their numbers misses none.

mod place;
mod pool;
mod schema;
mod session;
mod tls;

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postgres::IsolationLevel;
use postgres::error::SqlState;

pub use place::{Place, PlaceError, password};
pub(super) use session::{Asked, Session};

use self::pool::Pool;
use super::driver::{Problem, Transaction};
use super::error::{RecordsError, classified};

/// First half of every advisory lock's key, "auxc"; other programs may use the database too.
const LOCKS: i32 = 0x6175_7863;
/// Where changes are announced.
const CHANNEL: &str = "aux_cache_change";
/// How long somebody is waited for who has been told to end, seconds.
const ENDING_SECONDS: u32 = 5;
/// Sessions for acts; each is held for one act only.
const ACTS_MAX: usize = 8;
/// Sessions that hold locks beyond one act.
const HOLDS_MAX: usize = 16;

/// Locks that all servers of a database share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// Taken by every act that changes something, for its transaction.
    Writing = 1,
    /// Held with others while a NAR is kept, and alone while NARs are removed.
    Keeping = 2,
    /// Held alone while views change.
    Views = 3,
    /// Held with others by every server as long as it runs, and alone by who must be the only one.
    Serving = 4,
}

/// The database as one server has it.
#[derive(Debug)]
pub(crate) struct Postgres {
    acts: Pool,
    holds: Pool,
    /// What hears of changes, once somebody listened.
    listener: Mutex<Option<Session>>,
    /// Names this server in the changes it makes, together with the counter behind it.
    server: String,
    /// Counts acts whose end is not known: what was changed under an older number is read like another server's change.
    doubts: AtomicU64,
}

impl Postgres {
    /// Connects, and brings the schema to its newest version.
    pub(super) fn open(place: &Place) -> Result<Self, RecordsError> {
        let (acts, holds) = (Pool::new(place.clone(), ACTS_MAX), Pool::new(place.clone(), HOLDS_MAX));
        let server = {
            let mut lent = acts.lend()?;
            schema::migrate(&mut lent)?;
            let asked = |session: &mut Session| -> Result<String, Problem> {
                Ok(session.client()?.query_one("SELECT CAST(gen_random_uuid() AS TEXT)", &[])?.try_get(0)?)
            };
            asked(&mut lent).map_err(|problem| lent.told(problem))?
        };
        Ok(Self { acts, holds, listener: Mutex::new(None), server, doubts: AtomicU64::new(0) })
    }

    /// What this server's changes are marked with now.
    pub(super) fn mark(&self) -> String {
        format!("{}.{}", self.server, self.doubts.load(Ordering::Acquire))
    }

    pub(super) fn read<T>(&self, ask: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>) -> Result<T, RecordsError> {
        let mut lent = self.acts.lend()?;
        self.transact(&mut lent, false, ask)
    }

    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
    ) -> Result<T, RecordsError> {
        let mut lent = self.acts.lend()?;
        self.transact(&mut lent, true, change)
    }

    /// One act in one transaction.
    pub(super) fn transact<T>(
        &self,
        session: &mut Session,
        writes: bool,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
    ) -> Result<T, RecordsError> {
        let mark = self.mark();
        let done = transact(session, (writes, &mark), act);
        done.map_err(|problem| {
            let error = session.told(problem);
            if error.is_away() {
                session.give_up();
                if writes {
                    self.doubts.fetch_add(1, Ordering::AcqRel);
                }
            }
            error
        })
    }

    /// Takes a lock for longer than an act, on a session of its own.
    pub(super) fn hold(&self, lock: Shared, alone: bool) -> Result<Session, RecordsError> {
        let mut lent = self.holds.lend()?;
        let name = if alone { "pg_advisory_lock" } else { "pg_advisory_lock_shared" };
        let sql = format!("SELECT {name}({LOCKS}, {})", lock as i32);
        lent.run(&sql).map_err(|problem| {
            let error = lent.told(problem);
            lent.give_up();
            error
        })?;
        Ok(lent.keep())
    }

    /// Takes back a session that held locks.
    pub(super) fn release(&self, mut session: Session) {
        if session.run("SELECT pg_advisory_unlock_all()").is_err() {
            session.give_up();
        }
        self.holds.give_back(Some(session));
    }

    /// Takes part among the servers as long as the listening session lives, or takes the place of all; whether it was free.
    pub(super) fn serve(&self, alone: bool) -> Result<bool, RecordsError> {
        self.listening(|session| try_lock(session, alone))
    }

    /// Whether no other server runs.
    pub(super) fn serves_alone(&self) -> Result<bool, RecordsError> {
        self.listening(|session| {
            let is_alone = try_lock(session, true)?;
            if is_alone {
                session.run(&format!("SELECT pg_advisory_unlock({LOCKS}, {})", Shared::Serving as i32))?;
            }
            Ok(is_alone)
        })
    }

    /// Waits until another server announces a change, at most for `patience`.
    pub(super) fn wait(&self, patience: Duration) -> Result<(), RecordsError> {
        use postgres::fallible_iterator::FallibleIterator;
        self.listening(|session| {
            // After the database was away this session is a new one, which has no part yet.
            let _has_part = session.has_part() || try_lock(session, false)?;
            let mut notifications = session.client()?.notifications();
            if notifications.timeout_iter(patience).next()?.is_some() {
                // One look shows all changes there are.
                while notifications.iter().next()?.is_some() {}
            }
            Ok(())
        })
    }

    /// Asks the session that listens; a new one where the old one broke.
    fn listening<T>(&self, ask: impl FnOnce(&mut Session) -> Result<T, Problem>) -> Result<T, RecordsError> {
        let mut listener = self.listener.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !listener.as_ref().is_some_and(Session::is_whole) {
            let mut session = self.acts.connect()?;
            session.run(&format!("LISTEN {CHANNEL}")).map_err(|problem| session.told(problem))?;
            *listener = Some(session);
        }
        let Some(session) = listener.as_mut() else {
            return Err(RecordsError::Unreadable { what: "no session".to_owned() });
        };
        let answered = ask(session);
        answered.map_err(|problem| {
            let error = session.told(problem);
            session.give_up();
            error
        })
    }
}

/// Takes part among the servers, or takes the place of all. Who is ending just now is waited for.
fn try_lock(session: &mut Session, alone: bool) -> Result<bool, Problem> {
    let name = if alone { "pg_advisory_lock" } else { "pg_advisory_lock_shared" };
    session.run(&format!("SET lock_timeout = '{ENDING_SECONDS}s'"))?;
    let taken = session.run(&format!("SELECT {name}({LOCKS}, {})", Shared::Serving as i32));
    let is_had = match taken {
        Ok(()) => true,
        Err(Problem::Shared(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => false,
        Err(problem) => return Err(problem),
    };
    session.run("RESET lock_timeout")?;
    session.take_part(is_had);
    Ok(is_had)
}

fn transact<T>(
    session: &mut Session,
    (writes, mark): (bool, &str),
    act: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let (client, statements) = session.parts()?;
    let builder = client.build_transaction();
    // A reader sees one state; a writer sees all that was committed before it got the lock.
    let transaction = if writes {
        builder.isolation_level(IsolationLevel::ReadCommitted).start()?
    } else {
        builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?
    };
    let mut asked = Asked::new(transaction, statements, mark);
    if writes {
        asked.batch(&format!("SELECT pg_advisory_xact_lock({LOCKS}, {})", Shared::Writing as i32))?;
    }
    let transaction = Transaction::Shared(RefCell::new(asked));
    let value = act(&transaction)?;
    let Transaction::Shared(asked) = transaction else {
        return Err(Problem::Unreadable("another database".to_owned()));
    };
    asked.into_inner().commit()?;
    Ok(value)
}

/// What a server's problem is called.
fn named(server: &str, problem: Problem) -> RecordsError {
    match problem {
        Problem::Shared(error) => classified(server, &error),
        Problem::Embedded(error) => RecordsError::Unreadable { what: error.to_string() },
        Problem::Lost => RecordsError::Away { server: server.to_owned(), cause: "the connection was lost".to_owned() },
        Problem::Unreadable(what) => RecordsError::Unreadable { what },
    }
}
