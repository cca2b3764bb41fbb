//! Publishing: the whole index, the deltas to it, and metadata that speaks of both.
#![expect(
    clippy::disallowed_types,
    reason = "the TUF library's types hold hash maps; what is signed is in canonical order"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_advisory::index::delta::{Touched, checksum, write};
use aux_advisory::publication::{DeltaNote, INDEX_TARGET, IndexNote, delta_target};
use aux_core::hexadecimal;
use aux_core::limits::INDEX_BYTES_MAX;
use jiff::Timestamp;
use tough::TargetName;
use tough::schema::{RoleType, Target};

use super::metadata::{Published, TargetFile, file_name};
use super::tiers::{DISTANCE_MAX, beginnings};
use super::{LOCK_FILE, Lifetimes, Repository, RepositoryError};

/// Of zstd, for the whole index: it is packed once and fetched by every new client.
const LEVEL: i32 = 19;
/// A delta larger than this share of the whole index is not worth listing.
const DELTA_SHARE_MAX: usize = 2;
/// So many versions of metadata, and the targets they list, stay for clients that are in the middle of a sync.
const VERSIONS_KEPT: u64 = 3;

/// What to publish.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// `None` signs what is published again, so that it stays fresh.
    pub index: Option<PathBuf>,
    pub now: Timestamp,
    pub lifetimes: Lifetimes,
}

/// What was published.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub serial: u64,
    /// False where the index was published already, and only signatures are new.
    pub is_new: bool,
    pub built: Timestamp,
    /// The packed index, bytes.
    pub index_bytes: u64,
    /// From which serial, how many bytes.
    pub deltas: Vec<(u64, u64)>,
    /// What a client fetches of metadata when something is new, bytes.
    pub metadata_bytes: u64,
    pub expires: Timestamp,
}

impl Repository {
    /// Publishes an index under a new serial, or renews the signatures of what is published.
    pub fn publish(&self, request: &PublishRequest) -> Result<Outcome, RepositoryError> {
        let lock = aux_io::file::lock(self.folder.join(LOCK_FILE))?;
        let _lock = lock.ok_or_else(|| RepositoryError::Locked { folder: self.folder.clone() })?;
        let old = self.published()?;
        let targets = match &request.index {
            Some(path) => self.new_targets(path, old.as_ref())?,
            None => None,
        };
        let is_new = targets.is_some();
        let targets = match (targets, &old) {
            (Some(targets), _) => targets,
            (None, Some(old)) => old.targets.clone(),
            (None, None) => return Err(RepositoryError::Nothing),
        };
        let metadata = self.write_metadata(old.as_ref(), targets, request.now, request.lifetimes)?;
        let published = self.published()?.ok_or(RepositoryError::Nothing)?;
        self.prune(&published)?;
        Ok(outcome(&published, is_new, metadata.0))
    }

    /// Writes the targets of a new serial; `None` where the very same index is published already.
    fn new_targets(
        &self,
        path: &Path,
        old: Option<&Published>,
    ) -> Result<Option<HashMap<TargetName, Target>>, RepositoryError> {
        let mapped = aux_io::file::map(path)?;
        let failed = |cause| RepositoryError::Index { path: path.to_path_buf(), cause };
        let index = Index::open(&mapped).map_err(failed)?;
        let name = checksum(&mapped).map(|sum| hexadecimal(&sum)).unwrap_or_default();
        if old.is_some_and(|old| old.note.checksum == name) {
            return Ok(None);
        }
        let serial = old.map_or(1, |old| old.note.serial + 1);
        let packed = zstd::bulk::compress(&mapped, LEVEL)
            .map_err(|cause| RepositoryError::Packing { path: path.to_path_buf(), cause })?;
        let note = IndexNote { serial, built: index.facts().built, checksum: name, length: mapped.len() as u64 };
        let largest_delta = packed.len() / DELTA_SHARE_MAX;
        let mut files = vec![TargetFile {
            name: INDEX_TARGET.to_owned(),
            bytes: packed,
            custom: serde_json::to_value(&note).unwrap_or_default(),
        }];
        if let Some(old) = old {
            let deltas = self.deltas(old, serial, (path, &mapped, &index))?;
            files.extend(deltas.into_iter().filter(|delta| delta.bytes.len() <= largest_delta));
        }
        let mut targets = HashMap::new();
        fs::create_dir_all(self.targets()).map_err(|cause| RepositoryError::Make { path: self.targets(), cause })?;
        for file in files {
            let target = file.target();
            aux_io::file::replace(self.targets().join(file_name(&file.name, &target)), &file.bytes)?;
            let name = TargetName::new(&file.name)
                .map_err(|error| RepositoryError::Sign { role: RoleType::Targets, cause: error.to_string() })?;
            targets.insert(name, target);
        }
        Ok(Some(targets))
    }

    /// The step from the newest publication, kept, and the deltas joined from it and earlier steps.
    fn deltas(
        &self,
        old: &Published,
        serial: u64,
        (path, bytes, index): (&Path, &[u8], &Index<'_>),
    ) -> Result<Vec<TargetFile>, RepositoryError> {
        let damaged = |cause| RepositoryError::IndexEntry { path: path.to_path_buf(), cause };
        let before_path = self.targets().join(&old.index_file);
        let before = unpack(&before_path)?;
        let before = Index::open(&before).map_err(|cause| RepositoryError::Index { path: before_path, cause })?;
        let step = Touched::between(&before, index).map_err(damaged)?;
        aux_io::file::replace(self.step(serial), &write(bytes, index, &step).map_err(damaged)?)?;
        let mut deltas = Vec::new();
        let mut touched = Touched::default();
        // Steps are numbered by the serial they lead to.
        let mut joined = serial + 1;
        'tiers: for since in beginnings(serial) {
            while joined > since + 1 {
                joined -= 1;
                let path = self.step(joined);
                // A publisher that moved without its history serves fewer distances, and is right about those.
                let Ok(step) = aux_io::input::read(&path, INDEX_BYTES_MAX) else { break 'tiers };
                touched.add(Touched::of_delta(&step).map_err(|cause| RepositoryError::Delta { path, cause })?);
            }
            let bytes = write(bytes, index, &touched).map_err(damaged)?;
            let custom = serde_json::to_value(DeltaNote { since }).unwrap_or_default();
            deltas.push(TargetFile { name: delta_target(since), bytes, custom });
        }
        Ok(deltas)
    }

    /// Removes what no client can still be fetching.
    fn prune(&self, newest: &Published) -> Result<(), RepositoryError> {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let oldest = |version: u64| version.saturating_sub(VERSIONS_KEPT - 1).max(1);
        for version in oldest(newest.targets_version)..=newest.targets_version {
            let name = format!("{version}.targets.json");
            let listed = fs::read(self.public().join(&name)).ok();
            let listed: Option<serde_json::Value> = listed.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let targets = listed.as_ref().and_then(|role| role.pointer("/signed/targets")?.as_object());
            for (name, target) in targets.into_iter().flatten() {
                if let Some(hash) = target.pointer("/hashes/sha256").and_then(serde_json::Value::as_str) {
                    kept.insert(format!("{hash}.{name}"));
                }
            }
            kept.insert(name);
        }
        for version in oldest(newest.snapshot_version)..=newest.snapshot_version {
            kept.insert(format!("{version}.snapshot.json"));
        }
        remove_others(&self.targets(), |_| true, &kept)?;
        remove_others(
            &self.public(),
            |name| name.ends_with(".targets.json") || name.ends_with(".snapshot.json"),
            &kept,
        )?;
        let reach = newest.note.serial.saturating_sub(DISTANCE_MAX);
        let steps = (reach..=newest.note.serial).map(|serial| format!("{serial}.auxdelta")).collect();
        remove_others(&self.folder.join(super::HISTORY_FOLDER), |name| name.ends_with(".auxdelta"), &steps)
    }
}

/// Removes the files of a folder that a rule chooses and nobody kept.
fn remove_others(folder: &Path, chosen: impl Fn(&str) -> bool, kept: &BTreeSet<String>) -> Result<(), RepositoryError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_file() && chosen(name) && !kept.contains(name) {
            fs::remove_file(&path).map_err(|cause| RepositoryError::Make { path, cause })?;
        }
    }
    Ok(())
}

/// A packed index of ours, whole.
fn unpack(path: &Path) -> Result<Vec<u8>, RepositoryError> {
    aux_io::input::read(path, INDEX_BYTES_MAX).map_err(RepositoryError::Input)
}

fn outcome(published: &Published, is_new: bool, metadata_bytes: u64) -> Outcome {
    let since = |target: &Target| {
        let note = target.custom.get(aux_advisory::publication::CUSTOM).cloned()?;
        serde_json::from_value(note).ok().map(|DeltaNote { since }| (since, target.length))
    };
    let mut deltas: Vec<(u64, u64)> = published.targets.values().filter_map(since).collect();
    let index = published.targets.iter().find(|(name, _)| name.raw() == INDEX_TARGET);
    let index_bytes = index.map_or(0, |(_, target)| target.length);
    deltas.sort_unstable_by(|left, right| right.cmp(left));
    Outcome {
        serial: published.note.serial,
        is_new,
        built: published.note.built,
        index_bytes,
        deltas,
        metadata_bytes,
        expires: published.expires,
    }
}
