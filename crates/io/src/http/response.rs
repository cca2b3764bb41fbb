//! What a server answered.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Body, HttpError, Url};

/// An answer of any status: what it means is the caller's to say.
#[derive(Debug)]
pub struct Response {
    /// Where the answer came from, after redirects.
    pub url: Url,
    pub status: u16,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub content_type: Option<String>,
    /// As `gzip`, where the body is packed because the request asked for it.
    pub content_encoding: Option<String>,
    /// With 429 or 503: when to come again.
    pub retry_after: Option<RetryAfter>,
    /// With 206: which bytes these are.
    pub range: Option<ByteRange>,
    /// The `Location` of a redirect that was not followed.
    pub location: Option<String>,
    /// Every header, by its name in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Response {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// 200: everything.
    pub fn is_whole(&self) -> bool {
        self.status == 200
    }

    /// 206: the range that was asked for.
    pub fn is_partial(&self) -> bool {
        self.status == 206
    }

    /// 304: what the caller has is the newest.
    pub fn is_unchanged(&self) -> bool {
        self.status == 304
    }

    /// 404 or 410.
    pub fn is_missing(&self) -> bool {
        matches!(self.status, 404 | 410)
    }

    /// 429 or 503: not now.
    pub fn is_later(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    /// Any 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The status as an error, for callers that expected another.
    pub fn unexpected(&self) -> HttpError {
        HttpError::Status { url: self.url.clone(), status: self.status, phrase: phrase(self.status) }
    }

    /// The response where it is a success, or its status as an error.
    pub fn success(self) -> Result<Self, HttpError> {
        if self.is_success() { Ok(self) } else { Err(self.unexpected()) }
    }

    /// The whole body of a success.
    pub fn bytes(self) -> Result<Vec<u8>, HttpError> {
        self.success()?.body.into_bytes()
    }
}

/// The bytes of a partial answer (RFC 9110, section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    /// Of the whole, where the server says it.
    pub total_bytes: Option<u64>,
}

impl ByteRange {
    /// Reads `bytes 100-199/1000`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (start, _end) = range.split_once('-')?;
        Some(Self { start: start.trim().parse().ok()?, total_bytes: total.trim().parse().ok() })
    }
}

/// When a busy server wants to be asked again (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Seconds(u64),
    At(Timestamp),
}

impl RetryAfter {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        text.parse()
            .ok()
            .map(Self::Seconds)
            .or_else(|| rfc2822::parse(text).ok().map(|date| Self::At(date.timestamp())))
    }

    /// How long to wait from `now` on, in seconds.
    pub fn seconds_from(self, now: Timestamp) -> u64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::At(time) => u64::try_from(time.as_second().saturating_sub(now.as_second())).unwrap_or(0),
        }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "in {seconds} seconds"),
            Self::At(time) => write!(f, "at {time}"),
        }
    }
}

/// The words that RFC 9110 gives to a status; a server's own words are foreign text and are not shown.
pub(super) fn phrase(status: u16) -> &'static str {
    ureq::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("(unknown status)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(RetryAfter::parse(" 120 "), Some(RetryAfter::Seconds(120)));
        let date = RetryAfter::parse("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        assert_eq!(date.seconds_from("2015-10-21T07:27:00Z".parse().unwrap()), 60);
        assert_eq!(date.seconds_from("2016-10-21T07:27:00Z".parse().unwrap()), 0);
        assert_eq!(RetryAfter::parse("soon"), None);
        assert_eq!(RetryAfter::parse("-1"), None);
    }

    #[test]
    fn a_byte_range_is_read_or_none() {
        assert_eq!(ByteRange::parse("bytes 5-9/10"), Some(ByteRange { start: 5, total_bytes: Some(10) }));
        assert_eq!(ByteRange::parse("bytes 5-9/*"), Some(ByteRange { start: 5, total_bytes: None }));
        for foreign in ["bytes */10", "items 5-9/10", "bytes 5", ""] {
            assert_eq!(ByteRange::parse(foreign), None, "{foreign}");
        }
    }
}
