//! What is asked for.

use std::fmt;

use super::Url;

/// One request. Built from [`Request::get`], [`Request::post`] or [`Request::new`] and completed by its fields.
#[derive(Clone)]
pub struct Request {
    pub url: Url,
    pub method: Method,
    /// Begin at this byte; the answer is then [`ByteRange`](super::ByteRange), or whole where the server cannot.
    pub range_start: Option<u64>,
    /// The `ETag` of what is here already: unchanged answers 304. With a range it is sent as `If-Range`.
    pub etag: Option<String>,
    /// The `Last-Modified` of what is here already, as the server wrote it.
    pub last_modified: Option<String>,
    /// Further headers. They are not carried to another server by a redirect, for they may be credentials.
    pub headers: Vec<(String, String)>,
    /// More than this many bytes of body are refused.
    pub limit_bytes: u64,
}

/// What to do at the URL. Only a GET follows redirects; for all others they are the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Delete,
    Post { body: Vec<u8> },
    Put { body: Vec<u8> },
    Patch { body: Vec<u8> },
}

impl Method {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Delete => "DELETE",
            Self::Post { .. } => "POST",
            Self::Put { .. } => "PUT",
            Self::Patch { .. } => "PATCH",
        }
    }

    pub(super) fn body(&self) -> Option<&[u8]> {
        match self {
            Self::Get | Self::Head | Self::Delete => None,
            Self::Post { body } | Self::Put { body } | Self::Patch { body } => Some(body),
        }
    }
}

impl Request {
    pub fn get(url: Url, limit_bytes: u64) -> Self {
        Self::new(url, Method::Get, limit_bytes)
    }

    pub fn post(url: Url, body: Vec<u8>, limit_bytes: u64) -> Self {
        Self::new(url, Method::Post { body }, limit_bytes)
    }

    /// A request by any method.
    pub fn new(url: Url, method: Method, limit_bytes: u64) -> Self {
        Self { url, method, range_start: None, etag: None, last_modified: None, headers: Vec::new(), limit_bytes }
    }

    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Without the values of headers and without a body, since either may be a credential.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut shown = formatter.debug_struct("Request");
        shown.field("method", &self.method.name()).field("url", &self.url).field("headers", &headers);
        shown.finish_non_exhaustive()
    }
}
