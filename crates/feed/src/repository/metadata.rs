//! The metadata of a publication: read back with its signatures checked, written so that no client sees a half.
#![expect(
    clippy::disallowed_types,
    reason = "the TUF library's types hold hash maps; what is signed is in canonical order"
)]

use std::collections::HashMap;
use std::num::NonZeroU64;

use aux_advisory::publication::{CUSTOM, INDEX_TARGET, IndexNote, TimestampNote};
use aux_core::hexadecimal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tough::TargetName;
use tough::editor::signed::SignedRole;
use tough::key_source::KeySource;
use tough::schema::{
    Hashes, KeyHolder, Metafile, Role, Root, Signed, Snapshot, Target, Targets, Timestamp as TimestampRole,
};

use super::keys::of_role;
use super::root::days_from;
use super::{Lifetimes, Repository, RepositoryError, SPEC_VERSION, wait};

/// The newest publication.
#[derive(Debug, Clone)]
pub struct Published {
    pub note: IndexNote,
    /// Of the packed index, as the file's name has it.
    pub index_file: String,
    pub expires: Timestamp,
    pub(super) targets: HashMap<TargetName, Target>,
    pub(super) targets_version: u64,
    pub(super) snapshot_version: u64,
    pub(super) timestamp_version: u64,
}

/// A target's bytes under the name that the metadata has for it.
pub(super) struct TargetFile {
    pub name: String,
    pub bytes: Vec<u8>,
    pub custom: serde_json::Value,
}

/// How large the metadata is that a client fetches, bytes.
pub(super) struct MetadataBytes(pub u64);

impl Repository {
    /// The newest publication, or `None` before the first. Signatures are checked, expiry is not: an expired feed can
    /// be published again.
    pub fn published(&self) -> Result<Option<Published>, RepositoryError> {
        if !self.public().join("timestamp.json").exists() {
            return Ok(None);
        }
        let root = self.read_root()?.signed;
        // Keys that were just replaced signed what stands there until it is signed again.
        let before = root.version.get().checked_sub(1).filter(|version| *version > 0);
        let before = before.map(|version| self.read_role::<Root>(&format!("{version}.root.json"))).transpose()?;
        let judges: Vec<&Root> = [&root].into_iter().chain(before.as_ref().map(|(before, _)| &before.signed)).collect();
        let untrusted = |cause: String| RepositoryError::Untrusted { cause };
        let timestamp = self.believed::<TimestampRole>("timestamp.json", None, &judges)?;
        let meta =
            timestamp.meta.get("snapshot.json").ok_or_else(|| untrusted("timestamp lists no snapshot".to_owned()))?;
        let snapshot = self.believed::<Snapshot>(&format!("{}.snapshot.json", meta.version), Some(meta), &judges)?;
        let meta =
            snapshot.meta.get("targets.json").ok_or_else(|| untrusted("snapshot lists no targets".to_owned()))?;
        let targets = self.believed::<Targets>(&format!("{}.targets.json", meta.version), Some(meta), &judges)?;
        let name = TargetName::new(INDEX_TARGET).map_err(|error| untrusted(error.to_string()))?;
        let index = targets.targets.get(&name).ok_or_else(|| untrusted(format!("it lists no {INDEX_TARGET}")))?;
        let note = index.custom.get(CUSTOM).cloned().unwrap_or_default();
        let note = serde_json::from_value(note).map_err(|error| untrusted(format!("{INDEX_TARGET}: {error}")))?;
        Ok(Some(Published {
            note,
            index_file: file_name(INDEX_TARGET, index),
            expires: timestamp.expires,
            targets_version: targets.version.get(),
            targets: targets.targets,
            snapshot_version: snapshot.version.get(),
            timestamp_version: timestamp.version.get(),
        }))
    }

    /// A role's metadata, with the hash another role has for it, and signed as one of these roots wants.
    fn believed<T: Role + DeserializeOwned>(
        &self,
        name: &str,
        meta: Option<&Metafile>,
        judges: &[&Root],
    ) -> Result<T, RepositoryError> {
        let (signed, bytes) = self.read_role::<T>(name)?;
        let wrong = |cause: String| RepositoryError::Untrusted { cause: format!("{name}: {cause}") };
        if meta.and_then(|meta| meta.hashes.as_ref()).is_some_and(|known| *known != hashes(&bytes)) {
            return Err(wrong("it is not the file that was signed".to_owned()));
        }
        let mut last = Ok(());
        for judge in judges {
            last = judge.verify_role(&signed);
            if last.is_ok() {
                return Ok(signed.signed);
            }
        }
        Err(wrong(last.err().map_or_else(|| "no root".to_owned(), |error| error.to_string())))
    }

    fn read_role<T: Role + DeserializeOwned>(&self, name: &str) -> Result<(Signed<T>, Vec<u8>), RepositoryError> {
        let path = self.public().join(name);
        let bytes =
            aux_io::input::read(&path, aux_core::limits::FEED_METADATA_BYTES_MAX).map_err(RepositoryError::Input)?;
        let signed: Signed<T> = serde_json::from_slice(&bytes)
            .map_err(|error| RepositoryError::Metadata { path, cause: error.to_string() })?;
        Ok((signed, bytes))
    }

    /// Signs and writes targets, snapshot and, last, the timestamp that makes them the publication.
    pub(super) fn write_metadata(
        &self,
        old: Option<&Published>,
        targets: HashMap<TargetName, Target>,
        now: Timestamp,
        lifetimes: Lifetimes,
    ) -> Result<MetadataBytes, RepositoryError> {
        let root = self.read_root()?.signed;
        let next = |version: Option<u64>| NonZeroU64::MIN.saturating_add(version.unwrap_or(0));
        let version = next(old.map(|old| old.targets_version));
        let mut role = Targets::new(SPEC_VERSION.to_owned(), version, days_from(now, lifetimes.targets_days));
        role.targets = targets;
        let targets = self.sign(role, &root)?;
        aux_io::file::replace(self.public().join(format!("{version}.targets.json")), &targets)?;

        let targets_meta = metafile(&targets, version);
        let version = next(old.map(|old| old.snapshot_version));
        let mut role = Snapshot::new(SPEC_VERSION.to_owned(), version, days_from(now, lifetimes.snapshot_days));
        role.meta.insert("targets.json".to_owned(), targets_meta);
        let snapshot = self.sign(role, &root)?;
        aux_io::file::replace(self.public().join(format!("{version}.snapshot.json")), &snapshot)?;

        let snapshot_meta = metafile(&snapshot, version);
        let version = next(old.map(|old| old.timestamp_version));
        let mut role = TimestampRole::new(SPEC_VERSION.to_owned(), version, days_from(now, lifetimes.timestamp_days));
        role.meta.insert("snapshot.json".to_owned(), snapshot_meta);
        let note = serde_json::to_value(TimestampNote { signed: now }).unwrap_or_default();
        role._extra.insert(CUSTOM.to_owned(), note);
        let timestamp = self.sign(role, &root)?;
        aux_io::file::replace(self.public().join("timestamp.json"), &timestamp)?;
        Ok(MetadataBytes((targets.len() + snapshot.len() + timestamp.len()) as u64))
    }

    /// A role's metadata as the bytes that are served.
    fn sign<T: Role + Serialize>(&self, role: T, root: &Root) -> Result<Vec<u8>, RepositoryError> {
        let keys = of_role(&self.keys(), T::TYPE)?;
        let named = root.roles.get(&T::TYPE);
        let usable = keys
            .iter()
            .filter(|key| key.public.key_id().is_ok_and(|id| named.is_some_and(|named| named.keyids.contains(&id))));
        let sources: Vec<Box<dyn KeySource>> = usable.map(super::keys::KeyFile::source).collect();
        let wanted = named.map_or(1, |named| named.threshold.get());
        if (sources.len() as u64) < wanted {
            return Err(RepositoryError::KeysMissing { role: T::TYPE, wanted, found: sources.len() as u64 });
        }
        let failed = |cause: String| RepositoryError::Sign { role: T::TYPE, cause };
        let holder = KeyHolder::Root(root.clone());
        let signed = wait(SignedRole::new(role, &holder, &sources, &SystemRandom::new()))?
            .map_err(|error| failed(error.to_string()))?;
        // Without the library's line breaks: every client reads this every day.
        serde_json::to_vec(signed.signed()).map_err(|error| failed(error.to_string()))
    }
}

fn metafile(bytes: &[u8], version: NonZeroU64) -> Metafile {
    Metafile { length: Some(bytes.len() as u64), hashes: Some(hashes(bytes)), version, _extra: HashMap::new() }
}

fn hashes(bytes: &[u8]) -> Hashes {
    Hashes { sha256: digest(&SHA256, bytes).as_ref().to_vec().into(), _extra: HashMap::new() }
}

impl TargetFile {
    /// How the metadata describes it.
    pub(super) fn target(&self) -> Target {
        let custom = HashMap::from([(CUSTOM.to_owned(), self.custom.clone())]);
        Target { length: self.bytes.len() as u64, hashes: hashes(&self.bytes), custom, _extra: HashMap::new() }
    }
}

/// The name under which a target is served: its hash in front (TUF, section 6.2, consistent snapshots).
pub(super) fn file_name(name: &str, target: &Target) -> String {
    format!("{}.{name}", hexadecimal(&target.hashes.sha256))
}
