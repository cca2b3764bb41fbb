//! The folder that is committed, and how it changes: wholly or not at all (docs/formats/aux-secrets-json.md, "Writing").

mod transaction;

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aux_io::file::FileError;

pub use transaction::{Change, Step, Writer};

use crate::declaration::Holder;
use crate::derive::Label;

pub const DECLARATION: &str = "aux-secrets.toml";
pub const MANIFEST: &str = "aux-secrets.json";
pub const SIGNATURE: &str = "aux-secrets.json.sig";
pub const SIGNERS: &str = "allowed_signers";
pub const SEED: &str = "seed.age";

/// Where a machine's keys lie.
pub fn delivery_path(machine: &Label) -> String {
    format!("machines/{machine}/scope.age")
}

/// Where an envelope lies.
pub fn envelope_path(holder: &Holder, name: &Label) -> String {
    format!("secrets/{}/{name}.age", holder.folder())
}

/// A folder with a fleet's secrets.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    declaration: PathBuf,
    /// What was decided and not yet put in place, because its writer was killed.
    pending: Option<transaction::Record>,
}

/// A folder that cannot be read or written. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("{}: there is no {DECLARATION} here", folder.display())]
    Missing { folder: PathBuf },
    #[error("{}: there is a fleet here already", folder.display())]
    Exists { folder: PathBuf },
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{}: more than {limit_bytes} bytes", path.display())]
    Large { path: PathBuf, limit_bytes: usize },
    #[error("{}: cannot be written: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{0}")]
    File(#[from] FileError),
    #[error("{}: another process is writing here", folder.display())]
    Locked { folder: PathBuf },
    #[error("{}: what an interrupted write left cannot be read: {cause}; if nothing is needed of it, remove the folder", path.display())]
    Pending { path: PathBuf, cause: String },
}

impl Repository {
    /// A folder with a declaration in it; `declaration` where it is another file than `aux-secrets.toml`.
    pub fn open(folder: &Path, declaration: Option<&Path>) -> Result<Self, RepositoryError> {
        let declaration = declaration.map_or_else(|| folder.join(DECLARATION), Path::to_path_buf);
        let pending = transaction::pending(folder)?;
        if pending.is_none() && !declaration.is_file() && !folder.join(MANIFEST).is_file() {
            return Err(RepositoryError::Missing { folder: folder.to_path_buf() });
        }
        Ok(Self { folder: folder.to_path_buf(), declaration, pending })
    }

    /// A folder for a new fleet, which may hold other things.
    pub fn create(folder: &Path) -> Result<Self, RepositoryError> {
        let failed = |cause| RepositoryError::Write { path: folder.to_path_buf(), cause };
        fs::create_dir_all(folder).map_err(failed)?;
        let pending = transaction::pending(folder)?;
        let has = |name: &str| folder.join(name).exists();
        if pending.is_some() || has(DECLARATION) || has(MANIFEST) || has(SEED) {
            return Err(RepositoryError::Exists { folder: folder.to_path_buf() });
        }
        Ok(Self { folder: folder.to_path_buf(), declaration: folder.join(DECLARATION), pending: None })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The declaration's file.
    pub fn declaration_path(&self) -> &Path {
        &self.declaration
    }

    /// The declaration's bytes; nothing where only the committed result is here.
    pub fn declaration(&self, limit_bytes: usize) -> Result<Option<Vec<u8>>, RepositoryError> {
        if self.declaration == self.folder.join(DECLARATION) {
            return self.read(DECLARATION, limit_bytes);
        }
        read_bounded(&self.declaration, limit_bytes)
    }

    /// A file of the current state; nothing where it is not there.
    pub fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, RepositoryError> {
        if self.pending.as_ref().is_some_and(|record| record.removes(path)) {
            return Ok(None);
        }
        if let Some(place) = self.pending.as_ref().and_then(|record| record.place(&self.folder, path)) {
            // Another process may be putting it in place at this moment; then it is where it belongs.
            if let Some(bytes) = read_bounded(&place, limit_bytes)? {
                return Ok(Some(bytes));
            }
        }
        read_bounded(&self.folder.join(path), limit_bytes)
    }

    /// Takes the folder's lock, and finishes or sweeps what an interrupted write left.
    pub fn writer(&mut self) -> Result<Writer, RepositoryError> {
        let writer = Writer::new(&self.folder)?;
        self.pending = None;
        Ok(writer)
    }
}

fn read_bounded(path: &Path, limit_bytes: usize) -> Result<Option<Vec<u8>>, RepositoryError> {
    let failed = |cause| RepositoryError::Read { path: path.to_path_buf(), cause };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(cause) => return Err(failed(cause)),
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit_bytes {
        return Err(RepositoryError::Large { path: path.to_path_buf(), limit_bytes });
    }
    Ok(Some(bytes))
}
