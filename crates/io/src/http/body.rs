//! A response's body: bounded in bytes, in time, and from below in speed.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::{HttpError, Url};

/// Bytes as they arrive. What is refused is an [`io::Error`] that wraps an [`HttpError`].
pub struct Body {
    reader: Box<dyn Read + Send>,
    bounds: Bounds,
    received_bytes: u64,
    /// Since when, and how much was there by then: the speed is measured from one window to the next.
    window: Option<(Instant, u64)>,
    /// As the server announces it.
    length_bytes: Option<u64>,
    /// Whether the end of the body can be told from a cut connection.
    is_delimited: bool,
}

/// What a body may cost.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) url: Url,
    pub(crate) limit_bytes: u64,
    pub(crate) deadline: Option<Instant>,
    pub(crate) total_limit: Duration,
    pub(crate) speed_bytes_per_second_min: u64,
    pub(crate) speed_window: Duration,
}

impl Body {
    pub(crate) fn new(
        reader: Box<dyn Read + Send>,
        bounds: Bounds,
        length_bytes: Option<u64>,
        is_delimited: bool,
    ) -> Self {
        Self { reader, bounds, received_bytes: 0, window: None, length_bytes, is_delimited }
    }

    /// How long the body will be, where the server says it.
    pub fn length_bytes(&self) -> Option<u64> {
        self.length_bytes
    }

    /// False where the body simply ends with the connection, so that a cut one looks whole.
    pub fn is_delimited(&self) -> bool {
        self.is_delimited
    }

    /// Bytes handed out so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Everything to the end.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|error| HttpError::of_read(error, &self.bounds.url))?;
        Ok(bytes)
    }

    fn check_time(&mut self, now: Instant) -> Result<(), HttpError> {
        let Bounds { url, deadline, total_limit, speed_bytes_per_second_min, speed_window, .. } = &self.bounds;
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Err(HttpError::Timeout { url: url.clone(), what: "the whole fetch", limit: *total_limit });
        }
        let (since, bytes_then) = *self.window.get_or_insert((now, self.received_bytes));
        let elapsed = now.saturating_duration_since(since);
        if elapsed < *speed_window {
            return Ok(());
        }
        let received = u128::from(self.received_bytes - bytes_then);
        if received * 1_000 < u128::from(*speed_bytes_per_second_min) * elapsed.as_millis() {
            let (received_bytes, bytes_per_second) = (self.received_bytes, *speed_bytes_per_second_min);
            return Err(HttpError::TooSlow { url: url.clone(), received_bytes, bytes_per_second });
        }
        self.window = Some((now, self.received_bytes));
        Ok(())
    }

    fn failed(&self, error: io::Error) -> HttpError {
        let Bounds { url, total_limit, speed_bytes_per_second_min, .. } = &self.bounds;
        let (url, received_bytes) = (url.clone(), self.received_bytes);
        match error.downcast::<ureq::Error>() {
            Ok(ureq::Error::Timeout(ureq::Timeout::PerRead)) => {
                HttpError::TooSlow { url, received_bytes, bytes_per_second: *speed_bytes_per_second_min }
            }
            Ok(ureq::Error::Timeout(_)) => HttpError::Timeout { url, what: "the whole fetch", limit: *total_limit },
            Ok(cause) => HttpError::Interrupted { url, received_bytes, cause: cause.to_string() },
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                HttpError::TooSlow { url, received_bytes, bytes_per_second: *speed_bytes_per_second_min }
            }
            Err(error) => HttpError::Interrupted { url, received_bytes, cause: error.to_string() },
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check_time(Instant::now()).map_err(io::Error::other)?;
        // One byte more than allowed is asked for, to tell a body that is too large from one that just fits.
        let left = (self.bounds.limit_bytes - self.received_bytes).saturating_add(1);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let read = match self.reader.read(part) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(io::Error::other(self.failed(error))),
        };
        if read as u64 >= left {
            let Bounds { url, limit_bytes, .. } = &self.bounds;
            return Err(io::Error::other(HttpError::TooLarge { url: url.clone(), limit_bytes: *limit_bytes }));
        }
        self.received_bytes += read as u64;
        Ok(read)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bounds, received_bytes, length_bytes, .. } = self;
        f.debug_struct("Body")
            .field("url", &bounds.url)
            .field("received_bytes", received_bytes)
            .field("length_bytes", length_bytes)
            .finish_non_exhaustive()
    }
}
