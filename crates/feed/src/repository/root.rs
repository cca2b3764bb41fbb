//! The root of trust: which keys may sign what, made once and replaced by versions that the old keys sign too.
#![expect(
    clippy::disallowed_types,
    reason = "the TUF library's types hold hash maps; what is signed is in canonical order"
)]

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use aux_core::hexadecimal;
use aws_lc_rs::rand::SystemRandom;
use jiff::Timestamp;
use tough::schema::{Role, RoleKeys, RoleType, Root, Signature, Signed};

use super::keys::{KeyFile, ROLES, next_path, of_role};
use super::{HISTORY_FOLDER, KEYS_FOLDER, Lifetimes, PUBLIC_FOLDER, Repository, RepositoryError, SPEC_VERSION, wait};

/// What a new repository is made with.
#[derive(Debug, Clone)]
pub struct InitRequest {
    pub now: Timestamp,
    pub lifetimes: Lifetimes,
    /// The last that speaks of a role holds; one nobody speaks of has one key.
    pub signers: Vec<(RoleType, Signers)>,
}

/// How many keys a role has, and how many of them must sign together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signers {
    pub threshold: u64,
    pub keys: u64,
}

impl InitRequest {
    /// Two of three for root, one key for each other role.
    pub fn new(now: Timestamp) -> Self {
        let signers = vec![(RoleType::Root, Signers { threshold: 2, keys: 3 })];
        Self { now, lifetimes: Lifetimes::default(), signers }
    }
}

/// What `init` made.
#[derive(Debug, Clone)]
pub struct Made {
    pub root: PathBuf,
    pub keys: Vec<PathBuf>,
}

/// A key that root names.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    pub role: RoleType,
    pub id: String,
    pub threshold: u64,
    /// Where its private half lies, if it lies here.
    pub path: Option<PathBuf>,
}

impl Repository {
    /// Makes keys, root metadata and folders; refuses a folder that has them.
    pub fn init(folder: &Path, request: &InitRequest) -> Result<(Self, Made), RepositoryError> {
        let repository = Self { folder: folder.to_path_buf() };
        for part in [KEYS_FOLDER, PUBLIC_FOLDER] {
            let exists = fs::read_dir(folder.join(part)).is_ok_and(|mut entries| entries.next().is_some());
            if exists {
                return Err(RepositoryError::Exists { folder: folder.to_path_buf() });
            }
        }
        for part in [PUBLIC_FOLDER, HISTORY_FOLDER] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|cause| RepositoryError::Make { path, cause })?;
        }
        aux_io::file::create_private_folder(repository.keys())?;
        let mut root = Root {
            spec_version: SPEC_VERSION.to_owned(),
            consistent_snapshot: true,
            version: NonZeroU64::MIN,
            expires: days_from(request.now, request.lifetimes.root_days),
            keys: HashMap::new(),
            roles: HashMap::new(),
            _extra: HashMap::new(),
        };
        let mut made = Vec::new();
        for role in ROLES {
            let one = Signers { threshold: 1, keys: 1 };
            let said = request.signers.iter().rev().find(|(of, _)| *of == role);
            let Signers { threshold, keys } = said.map_or(one, |(_, signers)| *signers);
            let Some(limit) = NonZeroU64::new(threshold).filter(|_| threshold <= keys) else {
                return Err(RepositoryError::Threshold { threshold, keys });
            };
            let role_keys = RoleKeys { keyids: Vec::new(), threshold: limit, _extra: HashMap::new() };
            root.roles.insert(role, role_keys);
            for _ in 0..keys {
                let key = KeyFile::make(next_path(&repository.keys(), role))?;
                add_key(&mut root, role, &key)?;
                made.push(key);
            }
        }
        repository.write_root(&root, None, &made)?;
        let root = repository.root_path();
        Ok((repository, Made { root, keys: made.into_iter().map(|key| key.path).collect() }))
    }

    /// Every key of root, by role, and where its private half lies.
    pub fn key_list(&self) -> Result<Vec<KeyInfo>, RepositoryError> {
        let root = self.read_root()?.signed;
        let mut list = Vec::new();
        for role in ROLES {
            let files = of_role(&self.keys(), role)?;
            let Some(keys) = root.roles.get(&role) else { continue };
            for id in &keys.keyids {
                let file = files.iter().find(|file| file.public.key_id().is_ok_and(|own| own == *id));
                let path = file.map(|file| file.path.clone());
                list.push(KeyInfo { role, id: hexadecimal(id), threshold: keys.threshold.get(), path });
            }
        }
        Ok(list)
    }

    /// The newest root metadata; its own signatures must hold.
    pub(super) fn read_root(&self) -> Result<Signed<Root>, RepositoryError> {
        let path = self.root_path();
        let bytes =
            aux_io::input::read(&path, aux_core::limits::FEED_METADATA_BYTES_MAX).map_err(RepositoryError::Input)?;
        let failed = |cause: String| RepositoryError::Metadata { path: path.clone(), cause };
        let root: Signed<Root> = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
        root.signed.verify_role(&root).map_err(|error| failed(error.to_string()))?;
        Ok(root)
    }

    /// Signs a root with its own keys and, where it replaces one, with that one's, and writes both of its names.
    pub(super) fn write_root(&self, root: &Root, old: Option<&Root>, keys: &[KeyFile]) -> Result<(), RepositoryError> {
        let failed = |cause: String| RepositoryError::Sign { role: RoleType::Root, cause };
        let message = root.canonical_form().map_err(|error| failed(error.to_string()))?;
        let mut signed = Signed { signed: root.clone(), signatures: Vec::new() };
        for key in keys {
            let id = key.public.key_id().map_err(|error| failed(error.to_string()))?;
            let names = |root: &Root| root.roles.get(&RoleType::Root).is_some_and(|keys| keys.keyids.contains(&id));
            if signed.signatures.iter().any(|made| made.keyid == id) || !(names(root) || old.is_some_and(names)) {
                continue;
            }
            let signature = wait(async {
                let signer = key.source().as_sign().await.map_err(|error| error.to_string())?;
                signer.sign(&message, &SystemRandom::new()).await.map_err(|error| error.to_string())
            })?
            .map_err(failed)?;
            signed.signatures.push(Signature { keyid: id, sig: signature.into() });
        }
        for judge in old.into_iter().chain([root]) {
            if judge.verify_role(&signed).is_err() {
                let wanted = judge.roles.get(&RoleType::Root).map_or(0, |keys| keys.threshold.get());
                let named = judge.roles.get(&RoleType::Root).map(|keys| keys.keyids.clone()).unwrap_or_default();
                let found = signed.signatures.iter().filter(|made| named.contains(&made.keyid)).count() as u64;
                return Err(RepositoryError::KeysMissing { role: RoleType::Root, wanted, found });
            }
        }
        let bytes = serde_json::to_vec(&signed).map_err(|error| failed(error.to_string()))?;
        aux_io::file::replace(self.public().join(format!("{}.root.json", root.version)), &bytes)?;
        Ok(aux_io::file::replace(self.root_path(), &bytes)?)
    }
}

pub(super) fn add_key(root: &mut Root, role: RoleType, key: &KeyFile) -> Result<(), RepositoryError> {
    let id = key.public.key_id().map_err(|_| RepositoryError::Key { path: key.path.clone() })?;
    root.keys.insert(id.clone(), key.public.clone());
    if let Some(keys) = root.roles.get_mut(&role) {
        keys.keyids.push(id);
    }
    Ok(())
}

/// A time so many days after another; the end of time where there is none.
pub(super) fn days_from(now: Timestamp, days: i32) -> Timestamp {
    let seconds = jiff::SignedDuration::from_hours(24 * i64::from(days));
    now.checked_add(seconds).unwrap_or(Timestamp::MAX)
}
