//! The publisher's folder: keys, the static files that clients fetch, and the steps that deltas are joined from.
//!
//! ```text
//! DIR/keys/        one file a key; those of root may lie elsewhere
//! DIR/public/      what a web server serves: TUF metadata, and the targets below it
//! DIR/history/     the step from each serial to the next, so that deltas can be joined without old indexes
//! ```

mod error;
mod keys;
mod metadata;
mod publish;
mod root;
mod rotate;
mod tiers;
mod verify;

use std::path::{Path, PathBuf};

pub use error::RepositoryError;
pub use metadata::Published;
pub use publish::{Outcome, PublishRequest};
pub use root::{InitRequest, KeyInfo, Made, Signers};
pub use rotate::RotateRequest;
pub use tough::schema::RoleType;
pub use verify::Verified;

const KEYS_FOLDER: &str = "keys";
const REVOKED_FOLDER: &str = "revoked";
const PUBLIC_FOLDER: &str = "public";
const HISTORY_FOLDER: &str = "history";
const LOCK_FILE: &str = ".lock";
/// TUF's version that the metadata follows (specification, section 4.3).
const SPEC_VERSION: &str = "1.0.0";

/// How long signatures hold, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    pub root_days: i32,
    pub targets_days: i32,
    pub snapshot_days: i32,
    /// How long somebody may hide newer publications from a client before it notices.
    pub timestamp_days: i32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { root_days: 365, targets_days: 90, snapshot_days: 30, timestamp_days: 7 }
    }
}

/// A publisher's folder that exists.
#[derive(Debug, Clone)]
pub struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// A folder that `init` made.
    pub fn open(folder: &Path) -> Result<Self, RepositoryError> {
        let repository = Self { folder: folder.to_path_buf() };
        if repository.root_path().is_file() {
            return Ok(repository);
        }
        Err(RepositoryError::NotInitialised { folder: folder.to_path_buf() })
    }

    /// The root metadata that clients are given once, by a way they trust.
    pub fn root_path(&self) -> PathBuf {
        self.public().join("root.json")
    }

    fn keys(&self) -> PathBuf {
        self.folder.join(KEYS_FOLDER)
    }

    /// What a web server serves.
    pub fn public(&self) -> PathBuf {
        self.folder.join(PUBLIC_FOLDER)
    }

    fn targets(&self) -> PathBuf {
        self.public().join(aux_advisory::publication::TARGETS_FOLDER)
    }

    fn step(&self, serial: u64) -> PathBuf {
        self.folder.join(HISTORY_FOLDER).join(format!("{serial}.auxdelta"))
    }
}

/// Runs what the TUF library does asynchronously to its end, on this thread.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, RepositoryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    Ok(runtime.map_err(|cause| RepositoryError::Runtime { cause })?.block_on(work))
}
