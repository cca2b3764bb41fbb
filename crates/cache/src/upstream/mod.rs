//! Pull-through: what a cache lacks is looked for in other caches, which it trusts by their keys alone.
//!
//! A narinfo that an upstream signed is an *offer*: it is served, and stands in no record. Its NAR is fetched when somebody
//! asks for it, and no byte of it leaves before all of it is here and is what the signature says. From then on it is an
//! object like any other, and once all that the path needs is in the cache too, the path is committed like one that was
//! pushed.

mod breaker;
mod closure;
mod find;
mod flights;
mod lasting;
mod netrc;
mod offer;
mod one;
mod pull;
#[cfg(test)]
mod tests;
mod via;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use aux_core::limits::{
    CACHE_UPSTREAM_ABSENT_MAX, CACHE_UPSTREAM_ALL_QUESTIONS_MAX, CACHE_UPSTREAM_CLOSURES_MAX,
    CACHE_UPSTREAM_FETCHES_MAX, CACHE_UPSTREAM_OFFERS_BYTES_MAX,
};
use aux_io::http::HttpOptions;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub(crate) use closure::ClosureError;
use flights::Flights;
use lasting::Lasting;
pub use netrc::{Netrc, NetrcError};
pub(crate) use offer::Offer;
pub use one::UpstreamError;
pub(crate) use one::{Event, Upstream};
pub(crate) use pull::{PullError, Pulled};
pub(crate) use via::Via;

use crate::names::PathHash;
use crate::records::UpstreamRow;

/// A path of a cache, by the cache's number in the records.
type Key = (i64, PathHash);

/// What looking for a path found.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Offered(Arc<Offered>),
    Lacking(Lack),
}

/// Why a path is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// No upstream has it.
    Absent,
    /// These did not say, and the others do not have it.
    Unanswered(Arc<[String]>),
}

/// An offer and whose it is.
#[derive(Debug)]
pub(crate) struct Offered {
    pub upstream: Arc<Upstream>,
    pub offer: Offer,
}

/// The upstreams of all caches, and what is remembered of their answers.
#[derive(Debug)]
pub(crate) struct Upstreams {
    /// Who asks, and through which proxy.
    http: HttpOptions,
    /// What they are told of who asks.
    netrc: Netrc,
    /// Of each cache, by its number, in the order in which they are believed.
    spaces: RwLock<BTreeMap<i64, Arc<[Arc<Upstream>]>>>,
    offers: Mutex<Lasting<Key, Arc<Offered>>>,
    lacks: Mutex<Lasting<Key, Lack>>,
    finding: Flights<Key, Found>,
    pulling: Flights<Key, Result<Pulled, Arc<PullError>>>,
    closing: Flights<Key, Result<(), Arc<ClosureError>>>,
    questions: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    closures: Arc<Semaphore>,
}

impl Upstreams {
    /// Sets up those that the records name.
    pub(crate) fn new(http: HttpOptions, netrc: Netrc, rows: Vec<UpstreamRow>) -> Result<Self, UpstreamError> {
        let mut spaces: BTreeMap<i64, Vec<Arc<Upstream>>> = BTreeMap::new();
        for row in rows {
            spaces.entry(row.space).or_default().push(Arc::new(Upstream::new(row, &http, &netrc)?));
        }
        let spaces = spaces.into_iter().map(|(number, upstreams)| (number, upstreams.into())).collect();
        Ok(Self {
            http,
            netrc,
            spaces: RwLock::new(spaces),
            offers: Mutex::new(Lasting::new(CACHE_UPSTREAM_OFFERS_BYTES_MAX)),
            lacks: Mutex::new(Lasting::new(CACHE_UPSTREAM_ABSENT_MAX)),
            finding: Flights::default(),
            pulling: Flights::default(),
            closing: Flights::default(),
            questions: Arc::new(Semaphore::new(CACHE_UPSTREAM_ALL_QUESTIONS_MAX)),
            fetches: Arc::new(Semaphore::new(CACHE_UPSTREAM_FETCHES_MAX)),
            closures: Arc::new(Semaphore::new(CACHE_UPSTREAM_CLOSURES_MAX)),
        })
    }

    /// Those of a cache, in the order in which they are believed.
    pub(crate) fn of(&self, space: i64) -> Arc<[Arc<Upstream>]> {
        self.spaces.read().unwrap_or_else(PoisonError::into_inner).get(&space).cloned().unwrap_or_default()
    }

    /// Whether a row can be asked at all, before it is written down.
    pub(crate) fn set_up(&self, row: UpstreamRow) -> Result<Arc<Upstream>, UpstreamError> {
        Upstream::new(row, &self.http, &self.netrc).map(Arc::new)
    }

    /// Takes one in, in the place of the one of its name. What was remembered of the cache's lacks and offers is forgotten.
    pub(crate) fn put(&self, upstream: Arc<Upstream>) {
        let space = upstream.row.space;
        self.change(space, |upstreams| {
            upstreams.retain(|other| other.name() != upstream.name());
            upstreams.push(upstream);
            upstreams.sort_by(|a, b| {
                (a.row.terms.priority, &a.row.terms.name).cmp(&(b.row.terms.priority, &b.row.terms.name))
            });
        });
    }

    /// Takes in what another server wrote down. Those that are as they were keep what is known of them.
    pub(crate) fn set_up_all(&self, rows: Vec<UpstreamRow>) -> Result<(), UpstreamError> {
        let mut wanted: BTreeMap<i64, Vec<Arc<Upstream>>> = BTreeMap::new();
        for row in rows {
            let known = self.of(row.space).iter().find(|upstream| upstream.row == row).map(Arc::clone);
            wanted.entry(row.space).or_default().push(known.map_or_else(|| self.set_up(row), Ok)?);
        }
        let mut spaces: Vec<i64> = self.spaces.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        spaces.extend(wanted.keys());
        for space in spaces {
            let upstreams = wanted.get(&space).cloned().unwrap_or_default();
            let is_same = self.of(space).iter().map(|one| &one.row).eq(upstreams.iter().map(|one| &one.row));
            if !is_same {
                self.change(space, |known| *known = upstreams);
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&self, space: i64, name: &str) {
        self.change(space, |upstreams| upstreams.retain(|other| other.name() != name));
    }

    fn change(&self, space: i64, change: impl FnOnce(&mut Vec<Arc<Upstream>>)) {
        let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
        let mut upstreams = spaces.get(&space).map(|upstreams| upstreams.to_vec()).unwrap_or_default();
        change(&mut upstreams);
        spaces.insert(space, upstreams.into());
        self.offers().retain(|(of, _)| *of != space);
        self.lacks().retain(|(of, _)| *of != space);
    }

    /// Whether it is still one of its cache's: an answer to one that was taken away meanwhile is not committed.
    fn is_current(&self, upstream: &Arc<Upstream>) -> bool {
        self.of(upstream.row.space).iter().any(|other| Arc::ptr_eq(other, upstream))
    }

    fn remembered(&self, key: Key, now: Instant) -> Option<Found> {
        if let Some(offered) = self.offers().find(&key, now) {
            return Some(Found::Offered(Arc::clone(offered)));
        }
        self.lacks().find(&key, now).cloned().map(Found::Lacking)
    }

    fn remember(&self, key: Key, found: &Found, times: (Instant, Instant)) {
        match found {
            // Its upstream may have been taken away while it was asked.
            Found::Offered(offered) if !self.is_current(&offered.upstream) => {}
            Found::Offered(offered) => {
                self.offers().put(key, (Arc::clone(offered), offered.offer.weight()), times);
            }
            Found::Lacking(lack) => self.lacks().put(key, (lack.clone(), 1), times),
        }
    }

    /// Forgets what upstreams said of a path: it is in the cache now, or what they said was no good.
    pub(crate) fn forget(&self, space: i64, path: PathHash) {
        self.offers().remove(&(space, path));
        self.lacks().remove(&(space, path));
    }

    /// How many offers and lacks are remembered.
    pub(crate) fn remembered_counts(&self) -> (usize, usize) {
        (self.offers().count(), self.lacks().count())
    }

    fn offers(&self) -> MutexGuard<'_, Lasting<Key, Arc<Offered>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lacks(&self) -> MutexGuard<'_, Lasting<Key, Lack>> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
