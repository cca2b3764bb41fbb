//! Why an image was not published.

use std::io;
use std::path::PathBuf;

use aux_io::file::FileError;
use aux_io::http::{HttpError, Url, UrlError};

use super::built::BuiltError;
use super::origins::RuleError;

/// Why an image is not where it should be. Causes stand in the text; foreign words are escaped where they are shown.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Built(#[from] BuiltError),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{place}: an image is there already, and it is another")]
    Exists { place: String },
    #[error("{place}: somebody else is publishing there at this moment")]
    Locked { place: String },
    /// What the other side says in its own words.
    #[error("{url}: answered {status}: {message}")]
    Refused { url: Url, status: u16, message: String },
    #[error("{url}: {what}")]
    Answer { url: Url, what: String },
    #[error("{url}: has {found} where {wanted} was sent")]
    Digest { url: Url, wanted: String, found: String },
    #[error("{url}: wants credentials, and none were given")]
    Credentials { url: Url },
}

impl PublishError {
    pub(super) fn answer(url: &Url, what: impl Into<String>) -> Self {
        Self::Answer { url: url.clone(), what: what.into() }
    }

    /// Whether the same may well succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Http(cause) => cause.is_passing(),
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Built(_) => "publish what `aux image build` wrote, as it wrote it",
            Self::Rule(cause) => cause.advice(),
            Self::Http(cause) => cause.advice(),
            Self::Url(_) => "write the URL in full, such as https://registry.example",
            Self::File(_) | Self::Io { .. } => {
                "nothing was put in place; mend this and run the same command again, which goes on"
            }
            Self::Exists { .. } => "nothing was changed; build the image under a version of its own",
            Self::Locked { .. } => "wait for it to end",
            Self::Credentials { .. } | Self::Refused { status: 401 | 403, .. } => {
                "name a file with USER:PASSWORD or a token, mode 0600, with --credentials"
            }
            Self::Refused { status: 408 | 425 | 429 | 500..=599, .. } => {
                "the server has trouble; run the same command again later, which goes on where this ended"
            }
            Self::Refused { .. } | Self::Answer { .. } => {
                "nothing was made visible; tell the server's owner, or check the URL"
            }
            Self::Digest { .. } => "do not use what is there; tell the server's owner, and publish again",
        }
    }
}
