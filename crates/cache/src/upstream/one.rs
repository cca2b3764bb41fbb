//! One upstream of a cache: its rules and keys, how it is reached, and how it has been answering.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aux_core::limits::{
    CACHE_UPSTREAM_ABSENT_MAX, CACHE_UPSTREAM_ABSENT_SECONDS, CACHE_UPSTREAM_FETCH_SECONDS_MAX,
    CACHE_UPSTREAM_FETCHES_MAX, CACHE_UPSTREAM_QUESTIONS_MAX, CACHE_UPSTREAM_REDIRECTS_MAX,
    CACHE_UPSTREAM_UNANSWERED_SECONDS, NARINFO_BYTES_MAX,
};
use aux_io::http::{HttpClient, HttpError, HttpOptions, Request, Response, Url};
use aux_nix::signature::{KeyError, TrustedKeys};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Via;
use super::breaker::{Breaker, Shown};
use super::lasting::Lasting;
use super::netrc::{Authorization, InTheClear, Netrc};
use super::offer::{Offer, Refusal, Rules};
use crate::names::PathHash;
use crate::records::UpstreamRow;

/// Longest account of what went wrong, characters: a part of it is the upstream's own words.
const ACCOUNT_CHARACTERS_MAX: usize = 300;

/// Why an upstream of the records cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("a key of the upstream {name} is none: {cause}")]
    Key { name: String, cause: KeyError },
    #[error("the upstream {name} cannot be asked: {cause}")]
    Http { name: String, cause: HttpError },
}

/// Why a question came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// An answer that is not used.
    Refused(Refusal),
    /// No answer: what happened.
    Failed(String),
}

/// An upstream that is asked.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub row: UpstreamRow,
    keys: TrustedKeys,
    authorization: Option<Authorization>,
    asking: HttpClient,
    fetching: HttpClient,
    /// Held by questions that are on their way, also by those for which nobody waits any more.
    pub(super) questions: Arc<Semaphore>,
    pub(crate) counts: Counts,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    breaker: Breaker,
    /// Paths about which its answer was no good, and whether it was refused.
    passed_over: Lasting<PathHash, bool>,
    failure: Option<Event>,
    refusal: Option<Event>,
}

/// What went wrong last.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub at: Timestamp,
    /// The hash of the path that was asked for.
    pub path: PathHash,
    pub what: String,
}

/// How it has been answering since the server started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub offered: AtomicU64,
    pub absent: AtomicU64,
    /// Whose names its rules exclude.
    pub excluded: AtomicU64,
    pub refused: AtomicU64,
    pub failed: AtomicU64,
    /// Questions that were not asked, because the breaker was open or there was no room in time.
    pub skipped: AtomicU64,
    pub pulled_paths: AtomicU64,
    pub pulled_bytes: AtomicU64,
}

impl Counts {
    /// Each with its name.
    pub(crate) fn answers(&self) -> [(&'static str, u64); 6] {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("offered", value(&self.offered)),
            ("absent", value(&self.absent)),
            ("excluded", value(&self.excluded)),
            ("refused", value(&self.refused)),
            ("failed", value(&self.failed)),
            ("skipped", value(&self.skipped)),
        ]
    }

    /// Paths and bytes that came from it.
    pub(crate) fn pulled(&self) -> (u64, u64) {
        (self.pulled_paths.load(Ordering::Relaxed), self.pulled_bytes.load(Ordering::Relaxed))
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Upstream {
    /// Sets it up; opens no connection.
    pub(super) fn new(row: UpstreamRow, http: &HttpOptions, netrc: &Netrc) -> Result<Self, UpstreamError> {
        let name = || row.terms.name.to_string();
        let keys = TrustedKeys::parse(&row.terms.keys.join(" "));
        let keys = keys.map_err(|cause| UpstreamError::Key { name: name(), cause })?;
        let client = |total_limit: Duration, idle_connections_max| {
            let options = HttpOptions {
                connect_limit: http.connect_limit.min(total_limit),
                response_limit: http.response_limit.min(total_limit),
                total_limit,
                redirects_max: CACHE_UPSTREAM_REDIRECTS_MAX,
                redirect_origins: Some(row.terms.redirects.clone()),
                idle_connections_max,
                // It is as the administrator wrote it, and all that comes is held against a signature.
                allow_insecure: !row.terms.url.is_https(),
                ..http.clone()
            };
            HttpClient::new(options).map_err(|cause| UpstreamError::Http { name: name(), cause })
        };
        let budget = Duration::from_millis(row.terms.budget_milliseconds.into());
        let asking = client(budget, CACHE_UPSTREAM_QUESTIONS_MAX)?;
        let fetching = client(Duration::from_secs(CACHE_UPSTREAM_FETCH_SECONDS_MAX), CACHE_UPSTREAM_FETCHES_MAX)?;
        let authorization = netrc.authorization(&row.terms.url).unwrap_or_else(|InTheClear| {
            tracing::warn!("upstream {}: its password is not sent, because {} is in the clear", name(), row.terms.url);
            None
        });
        let state = State {
            breaker: Breaker::default(),
            passed_over: Lasting::new(CACHE_UPSTREAM_ABSENT_MAX),
            failure: None,
            refusal: None,
        };
        let questions = Arc::new(Semaphore::new(CACHE_UPSTREAM_QUESTIONS_MAX));
        let (counts, state) = (Counts::default(), Mutex::new(state));
        Ok(Self { row, keys, authorization, asking, fetching, questions, counts, state })
    }

    pub(crate) fn name(&self) -> &str {
        self.row.terms.name.as_str()
    }

    pub(super) fn budget(&self) -> Duration {
        Duration::from_millis(self.row.terms.budget_milliseconds.into())
    }

    pub(crate) fn breaker(&self, now: Instant) -> Shown {
        self.state().breaker.shown(now)
    }

    /// What went wrong last: no answer, and one that is not used.
    pub(crate) fn last(&self) -> (Option<Event>, Option<Event>) {
        let state = self.state();
        (state.failure.clone(), state.refusal.clone())
    }

    /// Whether it may be asked about anything now; see [`Breaker::admits`].
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.state().breaker.admits(now)
    }

    pub(super) fn admits_fetch(&self, now: Instant) -> bool {
        self.state().breaker.admits_fetch(now)
    }

    /// Where it is not asked about a path, because its last answer was no good: whether that was refused.
    pub(super) fn passed_over(&self, path: PathHash, now: Instant) -> Option<bool> {
        self.state().passed_over.find(&path, now).copied()
    }

    pub(super) fn succeeded(&self) {
        self.state().breaker.succeeded();
    }

    pub(super) fn abandoned(&self, now: Instant) {
        count(&self.counts.skipped);
        self.state().breaker.abandoned(now);
    }

    /// Writes down that something went wrong. A refusal is an answer, so that the breaker is not moved by it.
    pub(super) fn trouble(&self, path: PathHash, trouble: &Trouble, at: Timestamp) {
        let (now, name) = (Instant::now(), self.name());
        let mut state = self.state();
        match trouble {
            Trouble::Refused(refusal) => {
                let what = account(&refusal.to_string());
                tracing::warn!("upstream {name}: {path}: refused: {what}");
                count(&self.counts.refused);
                state.breaker.succeeded();
                state.refusal = Some(Event { at, path, what });
            }
            Trouble::Failed(what) => {
                let what = account(what);
                tracing::info!("upstream {name}: {path}: no answer: {what}");
                count(&self.counts.failed);
                if state.breaker.failed(now) {
                    let seconds = state.breaker.shown(now).seconds_left.unwrap_or_default();
                    tracing::warn!("upstream {name} is left alone for {seconds} seconds: {what}");
                }
                state.failure = Some(Event { at, path, what });
            }
        }
        let is_refused = matches!(trouble, Trouble::Refused(_));
        let seconds = if is_refused { CACHE_UPSTREAM_ABSENT_SECONDS } else { CACHE_UPSTREAM_UNANSWERED_SECONDS };
        state.passed_over.put(path, (is_refused, 1), (now, now + Duration::from_secs(seconds)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a narinfo and judges it; `Ok(None)` where the upstream has none, or none that is wanted. Blocks.
    pub(super) fn question(&self, hash: PathHash, store_directory: &str, via: &Via) -> Result<Option<Offer>, Trouble> {
        let url = self.below(&format!("{hash}.narinfo"))?;
        let request = self.request(url, NARINFO_BYTES_MAX as u64, via);
        let response = self.asking.fetch(&request).map_err(sorted)?;
        if self.is_absence(response.status) {
            count(&self.counts.absent);
            return Ok(None);
        }
        let document = whole(response)?.body.into_bytes().map_err(sorted)?;
        let UpstreamRow { terms, .. } = &self.row;
        let rules = Rules { keys: &self.keys, names: &terms.names, names_not: &terms.names_not, store_directory };
        let offer = rules.judge(hash, &document).map_err(Trouble::Refused)?;
        count(if offer.is_some() { &self.counts.offered } else { &self.counts.excluded });
        Ok(offer)
    }

    /// Begins to fetch the NAR of an offer; what comes is bounded in bytes, time and speed, and not checked yet. Blocks.
    pub(super) fn nar(&self, offer: &Offer, via: &Via) -> Result<Response, Trouble> {
        let url = self.below(offer.from.as_str())?;
        let request = self.request(url, offer.packed_bytes_max(), via);
        let response = self.fetching.fetch(&request).map_err(sorted)?;
        if self.is_absence(response.status) {
            return Err(Trouble::Refused(Refusal::NoNar));
        }
        whole(response)
    }

    /// A request with what says who asks. A redirect to another origin leaves that behind (`aux_io::http`).
    fn request(&self, url: Url, limit_bytes: u64, via: &Via) -> Request {
        let request = Request::get(url, limit_bytes).header("via", via.as_str());
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization.expose()),
            None => request,
        }
    }

    /// A bucket whose contents nobody may list answers 403 for what is not there. To whoever came with a password it says
    /// that this one opens nothing.
    fn is_absence(&self, status: u16) -> bool {
        matches!(status, 404 | 410) || (status == 403 && self.authorization.is_none())
    }

    /// Something below the upstream's URL; its origin cannot be left by what a narinfo says.
    fn below(&self, path: &str) -> Result<Url, Trouble> {
        self.row.terms.url.below(path).map_err(|error| Trouble::Refused(Refusal::Http(error.into())))
    }
}

/// Everything, as it is.
fn whole(response: Response) -> Result<Response, Trouble> {
    if !response.is_whole() {
        return Err(Trouble::Failed(response.unexpected().to_string()));
    }
    match response.content_encoding.as_deref() {
        None | Some("identity") => Ok(response),
        Some(encoding) => Err(Trouble::Refused(Refusal::Encoded(encoding.to_owned()))),
    }
}

/// Whether an upstream did not answer, or answered what is not used.
pub(super) fn sorted(error: HttpError) -> Trouble {
    match error {
        HttpError::TooLarge { .. }
        | HttpError::Redirects { .. }
        | HttpError::Downgrade { .. }
        | HttpError::Elsewhere { .. }
        | HttpError::RedirectTarget { .. } => Trouble::Refused(Refusal::Http(error)),
        error => Trouble::Failed(error.to_string()),
    }
}

/// What went wrong, on one line that is not endless.
fn account(what: &str) -> String {
    aux_core::visible::visible(what).chars().take(ACCOUNT_CHARACTERS_MAX).collect()
}
