//! Why a fetch gave nothing. Every message names the URL; [`HttpError::advice`] says what to do.

use std::io;
use std::time::Duration;

use super::{Url, UrlError};

/// A fetch that gave no answer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{url}: plain http is refused except to this machine")]
    Insecure { url: Url },
    #[error("{url}: is a file, and is not fetched over HTTP")]
    NotHttp { url: Url },
    #[error("{url}: the name of its host is not known")]
    UnknownHost { url: Url },
    #[error("{url}: cannot be reached: {cause}")]
    Connect { url: Url, cause: String },
    #[error("{url}: the server is not who it says it is, or speaks no TLS we accept: {cause}")]
    Tls { url: Url, cause: String },
    #[error("{url}: {what} took longer than {limit:?}")]
    Timeout { url: Url, what: &'static str, limit: Duration },
    #[error("{url}: sends less than {bytes_per_second} bytes a second (after {received_bytes} bytes)")]
    TooSlow { url: Url, received_bytes: u64, bytes_per_second: u64 },
    #[error("{url}: is larger than the {limit_bytes} bytes allowed")]
    TooLarge { url: Url, limit_bytes: u64 },
    #[error("{url}: the connection ended after {received_bytes} bytes, before the body did: {cause}")]
    Interrupted { url: Url, received_bytes: u64, cause: String },
    #[error("{url}: the connection broke after {sent_bytes} bytes were sent: {cause}")]
    Broken { url: Url, sent_bytes: u64, cause: String },
    #[error("{url}: redirected more than {limit} times")]
    Redirects { url: Url, limit: u32 },
    #[error("{url}: redirects from https to {to}, which is not encrypted")]
    Downgrade { url: Url, to: Url },
    #[error("{url}: redirects to {to}, which is neither its own origin nor one that was named")]
    Elsewhere { url: Url, to: Url },
    #[error("{url}: redirects to nowhere: {cause}")]
    RedirectTarget { url: Url, cause: String },
    #[error("{url}: does not answer as HTTP does: {cause}")]
    Protocol { url: Url, cause: String },
    #[error("{url}: was asked for bytes from {asked} on and sent others")]
    Range { url: Url, asked: u64 },
    #[error("{url}: answered {status} {phrase}")]
    Status { url: Url, status: u16, phrase: &'static str },
    #[error("{url}: cannot be read: {cause}")]
    File { url: Url, cause: io::Error },
    #[error("the request to {url} cannot be made: {cause}")]
    Request { url: Url, cause: String },
    #[error("the HTTP client cannot be set up: {cause}")]
    Setup { cause: String },
    #[error(transparent)]
    Url(#[from] UrlError),
}

impl HttpError {
    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Insecure { .. } => {
                "use https://, or allow plain http explicitly where somebody else protects the way"
            }
            Self::NotHttp { .. } | Self::Url(_) => "write the URL in full, such as https://feeds.example/aux",
            Self::UnknownHost { .. } => "check the spelling and this machine's name service",
            Self::Connect { .. } => "check the address, the network and the proxy, then try again",
            Self::Tls { .. } => "check this machine's clock and the certificates it trusts",
            Self::Timeout { .. } | Self::TooSlow { .. } | Self::Interrupted { .. } => {
                "try again later; what is complete is kept"
            }
            Self::Broken { .. } => {
                "the server, or a proxy before it, may have refused what was sent without being heard: its log says why"
            }
            Self::TooLarge { .. } => "this is not what was expected there; check the URL",
            Self::Redirects { .. } | Self::Downgrade { .. } | Self::Elsewhere { .. } | Self::RedirectTarget { .. } => {
                "name the final https:// URL, or tell the server's owner"
            }
            Self::Protocol { .. } | Self::Range { .. } => {
                "something between here and the server alters answers; check the proxy"
            }
            Self::Status { status: 401 | 403 | 407, .. } => "check the credentials this server wants",
            Self::Status { status: 404 | 410, .. } => "check the URL; the server knows nothing there",
            Self::Status { .. } => "the server has trouble; try again later",
            Self::File { .. } => "check the path and who may read it",
            Self::Request { .. } | Self::Setup { .. } => "check the headers, the proxy and the certificates given",
        }
    }

    /// Whether the same request may well succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::UnknownHost { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::TooSlow { .. }
            | Self::Interrupted { .. }
            | Self::Broken { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// The error that a [`Body`](super::Body) wrapped for [`io::Read`], or what else went wrong with it.
    pub fn of_read(error: io::Error, url: &Url) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self::Interrupted { url: url.clone(), received_bytes: 0, cause: error.to_string() },
        }
    }
}
