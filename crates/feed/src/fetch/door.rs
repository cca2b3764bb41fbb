//! Requests that are made again where that may help, and counted.

use std::cell::Cell;
use std::time::Duration;

use aux_core::limits::{FETCH_ATTEMPTS_MAX, FETCH_WAIT_SECONDS_MAX};
use aux_io::http::{HttpError, Request, Response, RetryAfter, Url};
use jiff::Timestamp;

use super::{FetchError, Outside, Progress};
use crate::sources::Source;

/// The way out for one source.
pub(super) struct Door<'a> {
    pub(super) source: Source,
    outside: &'a Outside<'a>,
    requests: Cell<u64>,
    received_bytes: Cell<u64>,
}

/// Which answers mean "not now" to an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    Ordinary,
    /// NVD's API answers 403 to whoever asks too often.
    Nvd,
}

impl<'a> Door<'a> {
    pub(super) fn new(source: Source, outside: &'a Outside<'a>) -> Self {
        Self { source, outside, requests: Cell::new(0), received_bytes: Cell::new(0) }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }

    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.get()
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received_bytes.set(self.received_bytes.get() + bytes);
    }

    pub(super) fn wait(&self, time: Duration) {
        if !time.is_zero() {
            (self.outside.wait)(time);
        }
    }

    pub(super) fn progress(&self, file: &str, bytes: u64, total_bytes: Option<u64>) {
        (self.outside.progress)(&Progress { source: self.source, file, bytes, total_bytes });
    }

    /// One request, as it is.
    pub(super) fn once(&self, request: &Request) -> Result<Response, HttpError> {
        self.requests.set(self.requests.get() + 1);
        self.outside.web.fetch(request)
    }

    /// A small document, whole: 200 with its bytes, or any status that is no trouble.
    pub(super) fn document(
        &self,
        request: &Request,
        manners: Manners,
        now: Timestamp,
    ) -> Result<(Response, Vec<u8>), FetchError> {
        let mut tries = Tries::new(now);
        loop {
            let failure = match self.once(request) {
                Ok(response) if is_trouble(&response, manners) => Trouble::later(&response),
                Ok(response) => match self.body(response) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => Trouble::Failed(error),
                },
                Err(error) => Trouble::Failed(error),
            };
            tries.again(self, &request.url, failure)?;
        }
    }

    fn body(&self, mut response: Response) -> Result<(Response, Vec<u8>), HttpError> {
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut response.body, &mut bytes);
        self.received(response.body.received_bytes());
        read.map_err(|error| HttpError::of_read(error, &response.url))?;
        Ok((response, bytes))
    }
}

/// Whether a server may answer better later.
pub(super) fn is_trouble(response: &Response, manners: Manners) -> bool {
    response.unexpected().is_passing() || (manners == Manners::Nvd && response.status == 403)
}

/// What stood in the way of one attempt.
pub(super) enum Trouble {
    Later { status: u16, retry_after: Option<RetryAfter> },
    Failed(HttpError),
}

impl Trouble {
    pub(super) fn later(response: &Response) -> Self {
        Self::Later { status: response.status, retry_after: response.retry_after }
    }
}

/// How often was tried, and how long to wait.
pub(super) struct Tries {
    attempts: u32,
    now: Timestamp,
}

impl Tries {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { attempts: 0, now }
    }

    /// The last attempt brought something: it does not count.
    pub(super) fn progressed(&mut self) {
        self.attempts = 0;
    }

    /// Waits before the next attempt, or says why there is none.
    pub(super) fn again(&mut self, door: &Door<'_>, url: &Url, trouble: Trouble) -> Result<(), FetchError> {
        self.attempts += 1;
        let is_last = self.attempts >= FETCH_ATTEMPTS_MAX;
        let doubling = Duration::from_secs(1 << self.attempts.min(10));
        let pause = match trouble {
            Trouble::Failed(error) if is_last || !error.is_passing() => return Err(error.into()),
            Trouble::Failed(_) => doubling,
            Trouble::Later { status, retry_after: again } => {
                let wanted = again.map(|time| Duration::from_secs(time.seconds_from(self.now)));
                let pause = wanted.unwrap_or(doubling);
                if is_last || pause > Duration::from_secs(FETCH_WAIT_SECONDS_MAX) {
                    return Err(FetchError::Busy { url: url.clone(), attempts: self.attempts, status, again });
                }
                pause
            }
        };
        door.wait(pause);
        Ok(())
    }
}
