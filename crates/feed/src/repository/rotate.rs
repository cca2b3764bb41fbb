//! Replacing the keys of a role: a new root that the old root's keys sign, and everything signed again.

use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;

use jiff::Timestamp;
use tough::schema::{RoleType, Root};

use super::keys::{KeyFile, next_path, of_role};
use super::publish::{Outcome, PublishRequest};
use super::root::{add_key, days_from};
use super::{LOCK_FILE, Lifetimes, REVOKED_FOLDER, Repository, RepositoryError};

/// Whose keys are replaced.
#[derive(Debug, Clone)]
pub struct RotateRequest {
    pub role: RoleType,
    /// Keys of root that lie elsewhere, to sign with.
    pub root_keys: Vec<PathBuf>,
    pub now: Timestamp,
    pub lifetimes: Lifetimes,
}

impl Repository {
    /// Makes as many new keys for the role as it had, revokes the old ones, and signs everything again.
    ///
    /// Clients that know the old root follow to the new one, because a threshold of the old root's keys signed it.
    pub fn rotate(&self, request: &RotateRequest) -> Result<(Vec<PathBuf>, Option<Outcome>), RepositoryError> {
        let lock = aux_io::file::lock(self.folder.join(LOCK_FILE))?;
        let lock = lock.ok_or_else(|| RepositoryError::Locked { folder: self.folder.clone() })?;
        let has_publication = self.published()?.is_some();
        let old = self.read_root()?.signed;
        let mut signers = of_role(&self.keys(), RoleType::Root)?;
        for path in &request.root_keys {
            signers.push(KeyFile::read(path)?);
        }
        let (mut root, count) = without_keys(&old, request.role);
        root.version = root.version.saturating_add(1);
        root.expires = days_from(request.now, request.lifetimes.root_days);
        let mut made = Vec::new();
        for _ in 0..count {
            let key = KeyFile::make(next_path(&self.keys(), request.role))?;
            add_key(&mut root, request.role, &key)?;
            made.push(key);
        }
        let paths: Vec<PathBuf> = made.iter().map(|key| key.path.clone()).collect();
        if request.role == RoleType::Root {
            signers.extend(made);
        }
        if let Err(error) = self.write_root(&root, Some(&old), &signers) {
            // The keys were made for a root that does not exist.
            for path in paths {
                drop(fs::remove_file(path));
            }
            return Err(error);
        }
        self.set_aside(request.role, &paths)?;
        drop(lock);
        let publish = PublishRequest { index: None, now: request.now, lifetimes: request.lifetimes };
        let outcome = if has_publication { Some(self.publish(&publish)?) } else { None };
        Ok((paths, outcome))
    }

    /// Moves the role's other key files where nothing looks for keys.
    fn set_aside(&self, role: RoleType, kept: &[PathBuf]) -> Result<(), RepositoryError> {
        let folder = self.keys().join(REVOKED_FOLDER);
        aux_io::file::create_private_folder(&folder)?;
        for key in of_role(&self.keys(), role)? {
            if let Some(name) = key.path.file_name().filter(|_| !kept.contains(&key.path)) {
                let path = folder.join(name);
                fs::rename(&key.path, &path).map_err(|cause| RepositoryError::Make { path, cause })?;
            }
        }
        Ok(())
    }
}

/// The root without the role's keys, and how many those were.
fn without_keys(old: &Root, role: RoleType) -> (Root, u64) {
    let mut root = old.clone();
    let mut count = NonZeroU64::MIN.get();
    if let Some(keys) = root.roles.get_mut(&role) {
        count = keys.keyids.len() as u64;
        keys.keyids.clear();
    }
    let named: Vec<_> = root.roles.values().flat_map(|keys| keys.keyids.clone()).collect();
    root.keys.retain(|id, _| named.contains(id));
    (root, count)
}
