//! Why a sync was refused: each attack and each accident in its own words. The feed that was there stays.

use std::error::Error as _;

use aux_advisory::index::IndexError;
use aux_advisory::index::delta::DeltaError;
use aux_io::file::FileError;
use aux_io::http::{HttpError, UrlError};
use tough::error::Error as Tough;
use tough::schema::RoleType;

use crate::state::StateError;

/// What a sync met.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("{url}: nothing was ever synced from there, so its root metadata must be given once")]
    RootWanted { url: String },
    #[error("the root metadata given cannot be believed: {cause}")]
    Root { cause: String },
    #[error("{role}: the server offers version {offered}, older than the {known} seen before (a rollback)")]
    Rollback { role: String, known: u64, offered: u64 },
    #[error("the {role} metadata has expired: the server does not show newer ones (a freeze, or nobody publishes)")]
    Expired { role: String },
    #[error("the {role} metadata is not signed by enough keys that may sign it: {cause}")]
    Signature { role: String, cause: String },
    #[error("the root metadata offered is not signed by the root that is trusted: {cause}")]
    RootChain { cause: String },
    #[error("parts of different publications are mixed: {cause}")]
    Mixed { cause: String },
    #[error("{url}: sends more than the {limit_bytes} bytes that belong there")]
    Endless { url: String, limit_bytes: u64 },
    #[error("{url}: is not the file that was signed (another hash)")]
    Swapped { url: String },
    #[error("the {role} metadata cannot be read: {cause}")]
    Unreadable { role: String, cause: String },
    #[error("this machine's clock was set back: {cause}")]
    Clock { cause: String },
    #[error("the publication does not say what it is: {cause}")]
    Publication { cause: String },
    #[error("the index fetched: {0}")]
    Index(IndexError),
    #[error("the index fetched is not the one that was signed")]
    OtherIndex,
    #[error("the index fetched cannot be unpacked: {cause}")]
    Packing { cause: String },
    #[error("the delta fetched: {0}")]
    Delta(DeltaError),
    #[error(transparent)]
    Http(HttpError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Other(String),
}

impl SyncError {
    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::RootWanted { .. } => "add --root ROOT.json, obtained from the publisher by a way you trust",
            Self::Root { .. } => "--root wants the publisher's root.json, whole and unchanged",
            Self::Rollback { .. }
            | Self::Mixed { .. }
            | Self::Swapped { .. }
            | Self::OtherIndex
            | Self::Endless { .. } => {
                "the server or somebody on the way shows what its publisher did not sign for now; the feed you have stays"
            }
            Self::Expired { .. } => "ask the publisher, or another mirror; until then the feed you have grows old",
            Self::Signature { .. } => "the publisher must sign with keys its root names; the feed you have stays",
            Self::RootChain { .. } => {
                "if the publisher lost its root keys, get the new root.json by a way you trust and give it with --root"
            }
            Self::Clock { .. } => "set this machine's clock",
            Self::Http(error) => error.advice(),
            Self::Url(_) => "write the URL in full, such as https://feeds.example/aux",
            Self::State(StateError::Locked { .. }) => "wait for it to end",
            Self::State(StateError::Damaged { .. } | StateError::Version { .. }) => {
                "remove the state folder and sync again with --root"
            }
            Self::State(_) | Self::File(_) => "check who owns the state folder, or name another with --state DIR",
            Self::Unreadable { .. }
            | Self::Publication { .. }
            | Self::Index(_)
            | Self::Packing { .. }
            | Self::Delta(_)
            | Self::Other(_) => "check the URL; tell the publisher if it is right; the feed you have stays",
        }
    }
}

/// A failure of the TUF library in our words.
pub(crate) fn of_tough(error: &Tough) -> SyncError {
    let role = |role: &RoleType| role.to_string();
    match error {
        Tough::ParseTrustedMetadata { .. } | Tough::VerifyTrustedMetadata { .. } => {
            SyncError::Root { cause: deepest(error) }
        }
        Tough::ExpiredMetadata { role: expired, .. } => SyncError::Expired { role: role(expired) },
        Tough::OlderMetadata { role: older, current_version, new_version, .. } => {
            SyncError::Rollback { role: role(older), known: *current_version, offered: *new_version }
        }
        Tough::OlderSnapshotInTimestamp { snapshot_old, snapshot_new, .. } => {
            SyncError::Rollback { role: role(&RoleType::Snapshot), known: *snapshot_old, offered: *snapshot_new }
        }
        Tough::SnapshotRoleRollback { role, old_role_version, new_role_version, .. } => SyncError::Rollback {
            role: role.trim_end_matches(".json").to_owned(),
            known: *old_role_version,
            offered: *new_role_version,
        },
        Tough::VerifyMetadata { role: RoleType::Root, .. } => SyncError::RootChain { cause: deepest(error) },
        Tough::VerifyMetadata { role: unsigned, .. } => {
            SyncError::Signature { role: role(unsigned), cause: deepest(error) }
        }
        Tough::VersionMismatch { .. }
        | Tough::MetaMissing { .. }
        | Tough::SnapshotRoleMissing { .. }
        | Tough::SnapshotTargetsMetaMissing { .. }
        | Tough::MissingSnapshotMeta { .. }
        | Tough::TimestampMetaLength { .. } => SyncError::Mixed { cause: error.to_string() },
        Tough::ParseMetadata { role: unread, .. } => {
            SyncError::Unreadable { role: role(unread), cause: deepest(error) }
        }
        Tough::SystemTimeSteppedBackward { .. } => SyncError::Clock { cause: error.to_string() },
        _ => wrapped(error).unwrap_or_else(|| SyncError::Other(deepest(error))),
    }
}

/// What a transport error was made of: our own HTTP error, or a check of the library on the bytes that came.
fn wrapped(error: &Tough) -> Option<SyncError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(Tough::MaxSizeExceeded { max_size, .. }) = inner.downcast_ref() {
            return Some(SyncError::Endless { url: url_of(error), limit_bytes: *max_size });
        }
        if let Some(Tough::HashMismatch { .. }) = inner.downcast_ref() {
            let url = url_of(error);
            // Metadata with another hash belongs to another publication.
            return Some(match url.strip_suffix(".json") {
                Some(_) => {
                    SyncError::Mixed { cause: format!("{url} is not the one that was signed together with the rest") }
                }
                None => SyncError::Swapped { url },
            });
        }
        cause = inner.source();
    }
    None
}

fn url_of(error: &Tough) -> String {
    match error {
        Tough::Transport { url, .. } => {
            aux_io::http::Url::parse(url.as_str()).map_or_else(|_| "?".to_owned(), |url| url.to_string())
        }
        _ => "the server".to_owned(),
    }
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
