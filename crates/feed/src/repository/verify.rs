//! What is published, checked as clients will check it, before they do.

use std::path::PathBuf;

use aux_advisory::index::Index;
use aux_advisory::index::delta::{announced, checksum};
use aux_advisory::publication::INDEX_TARGET;
use aux_core::hexadecimal;
use aux_core::limits::INDEX_BYTES_MAX;
use aws_lc_rs::digest::{SHA256, digest};

use super::metadata::file_name;
use super::{Repository, RepositoryError};

/// A publication that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub serial: u64,
    pub deltas: usize,
}

impl Repository {
    /// Checks signatures, the hash of every target, the index whole, and that each delta announces that very index.
    pub fn verify(&self) -> Result<Verified, RepositoryError> {
        let published = self.published()?.ok_or(RepositoryError::Nothing)?;
        let mut deltas = 0;
        // By name, so that the first fault named is the same every time.
        let mut targets: Vec<_> = published.targets.iter().collect();
        targets.sort_by(|(left, _), (right, _)| left.raw().cmp(right.raw()));
        for (name, target) in targets {
            let path = self.targets().join(file_name(name.raw(), target));
            // As it lies there: a reader that unpacks would not see what is hashed.
            let bytes = std::fs::read(&path).map_err(|cause| RepositoryError::Packing { path: path.clone(), cause })?;
            let untrusted = |cause: &str| RepositoryError::Untrusted { cause: format!("{}: {cause}", path.display()) };
            if digest(&SHA256, &bytes).as_ref() != &*target.hashes.sha256 || bytes.len() as u64 != target.length {
                return Err(untrusted("it is not the file that was signed"));
            }
            let found = if name.raw() == INDEX_TARGET {
                let index = aux_io::input::read(&path, INDEX_BYTES_MAX).map_err(RepositoryError::Input)?;
                check(&index, path.clone())?;
                checksum(&index)
            } else {
                deltas += 1;
                announced(&bytes)
            };
            if found.map(|sum| hexadecimal(&sum)).as_deref() != Some(published.note.checksum.as_str()) {
                return Err(untrusted("it belongs to another index"));
            }
        }
        Ok(Verified { serial: published.note.serial, deltas })
    }
}

fn check(index: &[u8], path: PathBuf) -> Result<(), RepositoryError> {
    match Index::open(index) {
        Ok(index) => index.check().map_err(|cause| RepositoryError::IndexEntry { path, cause }),
        Err(cause) => Err(RepositoryError::Index { path, cause }),
    }
}
