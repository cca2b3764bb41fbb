//! Why a cache server gave no answer, or said no.

use aux_io::http::{HttpError, Url};
use serde::Deserialize;

/// A request without the answer that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{url}: refused with {status}{}", refusal.shown())]
    Refused { url: Url, status: u16, refusal: Refusal },
    #[error("{url}: does not answer as a cache server does; there should be a document of schema {expected}")]
    NotCache { url: Url, expected: &'static str },
    #[error("{url}: is for stores in {theirs}, and what is pushed belongs to {ours}")]
    StoreDirectory { url: Url, theirs: String, ours: String },
    #[error("{view} is a view of {cache}, and takes nothing itself")]
    View { view: String, cache: String },
    #[error("{url}: wants a token, and was sent none")]
    NoToken { url: Url },
    #[error("`{0}` can be no name of a cache, view, token or pin: letters, digits, `-` and `_`")]
    Name(String),
}

/// What the server says of its refusal; all of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// A word to act on, such as `forbidden`.
    #[serde(default)]
    pub error: String,
    pub detail: Option<String>,
    /// By which the server's log knows it.
    pub request: Option<String>,
}

impl Refusal {
    fn shown(&self) -> String {
        let mut text = String::new();
        if !self.error.is_empty() {
            text = format!(" {}", self.error);
        }
        if let Some(detail) = &self.detail {
            text = format!("{text}: {detail}");
        }
        if let Some(request) = &self.request {
            text = format!("{text} (request {request})");
        }
        text
    }
}

impl ClientError {
    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Http(error) => error.advice(),
            Self::NotCache { .. } => "check --server: it is the server's address without the name of a cache",
            Self::StoreDirectory { .. } => "a store path works in its own store directory alone",
            Self::View { .. } => "push to the cache, then promote into the view",
            Self::NoToken { .. } => "name it with --token-file; what aux.toml names goes to the server beside it alone",
            Self::Name(_) => "`aux cache views` lists the names that are there",
            Self::Refused { status: 401, .. } => "check --token-file: the token is unknown, expired or revoked",
            Self::Refused { status: 403, .. } => "this token may not do that; `aux cache token create` makes others",
            Self::Refused { status: 404, .. } => {
                "what was named is not there: check the name, and that --server is the address without the name of a cache"
            }
            Self::Refused { status: 409, .. } => "something of that name is there already",
            Self::Refused { status: 413, refusal, .. } if refusal.error.is_empty() => {
                "a proxy before the server bounds what may be sent; in nginx it is `client_max_body_size 0;`"
            }
            Self::Refused { status: 429 | 503, .. } => "try again later",
            Self::Refused { status: 507, .. } => "make room on the server: aux cache gc",
            Self::Refused { status: 502 | 504, refusal, .. } if refusal.error.is_empty() => {
                "a proxy answered in the server's place: check that aux-server runs behind it"
            }
            Self::Refused { status: 500..=599, .. } => "the server's log knows more under that request",
            Self::Refused { .. } => "correct what was asked for",
        }
    }

    /// Whether nothing else that is asked with the same token and of the same server can go better.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Http(error) => !matches!(error, HttpError::Status { .. }),
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 404 | 507),
            Self::NotCache { .. }
            | Self::StoreDirectory { .. }
            | Self::View { .. }
            | Self::NoToken { .. }
            | Self::Name(_) => true,
        }
    }

    /// Whether it may go well where nothing is left out. A refusal that comes while a NAR is being sent can be lost.
    pub(super) fn may_be_about_a_reference(&self) -> bool {
        match self {
            Self::Refused { refusal, .. } => refusal.error == "reference",
            Self::Http(error) => matches!(error, HttpError::Broken { .. }),
            _ => false,
        }
    }

    /// Whether the NAR that was put is not what its narinfo says.
    pub(super) fn is_about_the_nar(&self) -> bool {
        let words = ["hash-mismatch", "size-mismatch"];
        matches!(self, Self::Refused { refusal, .. } if words.contains(&refusal.error.as_str()))
    }

    /// Whether the same may go well in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Http(error) => error.is_passing(),
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 502..=504),
            Self::NotCache { .. }
            | Self::StoreDirectory { .. }
            | Self::View { .. }
            | Self::NoToken { .. }
            | Self::Name(_) => false,
        }
    }
}
