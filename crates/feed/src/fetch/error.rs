//! Why a source could not be fetched.

use std::io;
use std::path::PathBuf;

use aux_io::file::FileError;
use aux_io::http::{HttpError, RetryAfter, Url, UrlError};

/// A fetch that gave no answer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{}: cannot be used: {cause}", path.display())]
    Folder { path: PathBuf, cause: io::Error },
    #[error("{}: another fetch is at work in this folder", folder.display())]
    Locked { folder: PathBuf },
    #[error("{}: not a fetch state this program can continue: {cause}", path.display())]
    State { path: PathBuf, cause: String },
    #[error("{}: cannot be written: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the address is wrong: {0}")]
    Url(#[from] UrlError),
    #[error("{url}: too busy to answer, asked {attempts} times (status {status}{})", again.map(|time| format!(", come again {time}")).unwrap_or_default())]
    Busy { url: Url, attempts: u32, status: u16, again: Option<RetryAfter> },
    #[error("{url}: what came cannot be read: {cause}")]
    Unreadable { url: Url, cause: String },
    #[error("{url}: its SHA-256 is {found}, and the publisher states {stated}")]
    Checksum { url: Url, stated: String, found: String },
    #[error("{url}: not what this interface answers: {cause}")]
    Interface { url: Url, cause: String },
}

impl FetchError {
    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Folder { .. } | Self::Write { .. } | Self::File(_) => {
                "check the folder, its owner and the room left on its disk"
            }
            Self::Locked { .. } => "wait for it to end, or name another folder",
            Self::State { .. } => "take a newer program, or remove fetch.json to fetch everything again",
            Self::Http(error) => error.advice(),
            Self::Url(_) => "write --base NAME=URL, such as --base nvd=https://mirror.example/nvd/",
            Self::Busy { .. } => "fetch again later; what is complete is kept and is not asked for again",
            Self::Unreadable { .. } | Self::Checksum { .. } => "fetch again later; the previous files are kept",
            Self::Interface { .. } => "check --base; a newer program may know a changed interface",
        }
    }
}
