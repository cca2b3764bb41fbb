//! Why a publisher's folder could not be worked with.

use std::io;
use std::path::PathBuf;

use aux_advisory::index::delta::DeltaError;
use aux_advisory::index::{Damaged, IndexError};
use aux_io::file::FileError;
use aux_io::input::InputError;
use tough::schema::RoleType;

/// What went wrong. Causes stand in the text; nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("{}: there is a feed repository already", folder.display())]
    Exists { folder: PathBuf },
    #[error("{}: not a feed repository", folder.display())]
    NotInitialised { folder: PathBuf },
    #[error("{}: another process publishes there", folder.display())]
    Locked { folder: PathBuf },
    #[error("{}: cannot be made: {cause}", path.display())]
    Make { path: PathBuf, cause: io::Error },
    #[error("a threshold of {threshold} needs at least as many keys, and there are {keys}")]
    Threshold { threshold: u64, keys: u64 },
    #[error("no randomness for a key at {}", path.display())]
    Random { path: PathBuf },
    #[error("{}: not a private key (Ed25519, ECDSA P-256 or RSA, as PKCS #8)", path.display())]
    Key { path: PathBuf },
    #[error("{role} needs {wanted} signatures, and keys for {found} are here")]
    KeysMissing { role: RoleType, wanted: u64, found: u64 },
    #[error("{}: {cause}", path.display())]
    Metadata { path: PathBuf, cause: String },
    #[error("the published metadata cannot be believed: {cause}")]
    Untrusted { cause: String },
    #[error("signing {role}: {cause}")]
    Sign { role: RoleType, cause: String },
    #[error("{}: {cause}", path.display())]
    Index { path: PathBuf, cause: IndexError },
    #[error("{}: {cause}", path.display())]
    IndexEntry { path: PathBuf, cause: Damaged },
    #[error("{}: {cause}", path.display())]
    Delta { path: PathBuf, cause: DeltaError },
    #[error("{}: cannot be packed or unpacked: {cause}", path.display())]
    Packing { path: PathBuf, cause: io::Error },
    #[error("nothing has been published yet")]
    Nothing,
    #[error("the signing engine cannot start: {cause}")]
    Runtime { cause: io::Error },
    #[error(transparent)]
    Input(InputError),
    #[error(transparent)]
    File(#[from] FileError),
}
