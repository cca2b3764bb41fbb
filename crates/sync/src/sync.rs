//! One sync: metadata verified from the trusted root on, the index brought to what it says, everything kept in one step.

use std::fs;
use std::path::Path;

use aux_advisory::publication::{CUSTOM, TARGETS_FOLDER, TimestampNote};
use aux_core::limits::{FEED_METADATA_BYTES_MAX, FEED_ROOT_UPDATES_MAX};
use aux_io::http::Url;
use aux_io::source::Source;
use jiff::Timestamp;
use tough::{ExpirationEnforcement, Limits, Repository, RepositoryLoader};

use crate::error::{SyncError, of_tough};
use crate::keep::{newest, note};
use crate::progress::Progress;
use crate::state::{Current, State, StateError};
use crate::transport::Wire;

/// What to sync.
#[derive(Debug)]
pub struct SyncRequest<'a> {
    /// Where the feed is published.
    pub url: &'a Url,
    /// The publisher's root metadata, obtained by a way one trusts. Needed once.
    pub root: Option<&'a [u8]>,
    pub now: Timestamp,
    pub progress: Progress,
}

/// How the index came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// It was here already.
    Kept,
    Delta,
    Whole,
}

/// What a sync brought.
#[derive(Debug, Clone)]
pub struct Synced {
    pub current: Current,
    pub means: Means,
    pub requests: u64,
    /// Received, bytes.
    pub bytes: u64,
}

/// The files that the TUF library keeps to tell a rollback.
const TRUSTED: [&str; 5] = ["root.json", "timestamp.json", "snapshot.json", "targets.json", "latest_known_time.json"];

/// Brings the state to what the publisher says is newest, or says why not; the feed that was there stays until then.
pub fn sync(state: &State, source: &Source, request: &SyncRequest<'_>) -> Result<Synced, SyncError> {
    let _lock = state.lock()?;
    let before = state.current()?;
    state.tidy(before.as_ref());
    let pinned = pinned_root(request, before.as_ref())?;
    let name = next_metadata(before.as_ref());
    let folder = state.metadata_path(&name);
    let is_pinned_anew = before.as_ref().is_none_or(|before| before.pinned_root != pinned);
    prepare(state, before.as_ref().filter(|_| !is_pinned_anew), &folder)?;
    let root = match (request.root, is_pinned_anew) {
        (Some(root), true) => root.to_vec(),
        _ => fs::read(folder.join("root.json"))
            .map_err(|cause| StateError::Read { path: folder.join("root.json"), cause })?,
    };
    let kept = before.as_ref().map(|before| state.metadata_path(&before.metadata));
    let targets = request.url.below(&format!("{TARGETS_FOLDER}/"))?.to_url();
    let wire = Wire::new(source.clone(), targets, kept, state.partial(), request.progress.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| SyncError::Other(format!("the sync cannot start: {error}")))?;
    let round = Round { state, before: before.as_ref(), request, wire: &wire, folder: &folder };
    let done = runtime.block_on(round.run(&root, &name, pinned));
    if done.is_err() {
        round.keep_what_is_trusted(&name, is_pinned_anew);
    }
    let current = done?;
    state.tidy(Some(&current.0));
    drop(fs::remove_dir_all(state.partial()));
    let tally = wire.tally();
    Ok(Synced { current: current.0, means: current.1, requests: tally.requests, bytes: tally.bytes })
}

/// One sync under way.
struct Round<'a> {
    state: &'a State,
    before: Option<&'a Current>,
    request: &'a SyncRequest<'a>,
    wire: &'a Wire,
    /// Of the metadata that will be current.
    folder: &'a Path,
}

impl Round<'_> {
    async fn run(&self, root: &[u8], metadata: &str, pinned_root: String) -> Result<(Current, Means), SyncError> {
        let repository = self.verified(&root.to_vec()).await?;
        let timestamp = &repository.timestamp().signed;
        let signed = timestamp._extra.get(CUSTOM).cloned().unwrap_or_default();
        let TimestampNote { signed } = serde_json::from_value(signed)
            .map_err(|error| SyncError::Publication { cause: format!("timestamp: {error}") })?;
        let (note, whole_bytes) = note(&repository)?;
        let kept = self.before.filter(|before| before.checksum == note.checksum);
        let index = format!("feed-{}-{}.auxdb", note.serial, note.checksum.get(..8).unwrap_or_default());
        let (index, means) = match kept {
            Some(before) if self.state.index_path(before).is_file() => (before.index.clone(), Means::Kept),
            _ => {
                let found = newest(&repository, self.state, self.before, (&note, whole_bytes)).await;
                let (bytes, means) = found.map_err(|error| self.first_failure().unwrap_or(error))?;
                aux_io::file::replace(self.state.metadata_path(&index), &bytes)?;
                (index, means)
            }
        };
        for (name, bytes) in &self.wire.tally().metadata {
            aux_io::file::replace(self.folder.join(name), bytes)?;
        }
        let feed = (note.serial, note.built, note.checksum);
        let times = (signed, timestamp.expires, self.request.now);
        let current = Current::new(self.request.url.to_string(), feed, times, index, metadata.to_owned(), pinned_root);
        self.state.commit(&current)?;
        Ok((current, means))
    }

    /// The publication's metadata, verified from the trusted root on.
    async fn verified(&self, root: &Vec<u8>) -> Result<Repository, SyncError> {
        let base = |path: &str| -> Result<url::Url, SyncError> { Ok(self.request.url.below(path)?.to_url()) };
        let limits = Limits {
            max_root_size: FEED_METADATA_BYTES_MAX,
            max_targets_size: FEED_METADATA_BYTES_MAX,
            max_timestamp_size: FEED_METADATA_BYTES_MAX,
            max_snapshot_size: FEED_METADATA_BYTES_MAX,
            max_root_updates: FEED_ROOT_UPDATES_MAX,
        };
        let loaded = RepositoryLoader::new(root, base("")?, base(&format!("{TARGETS_FOLDER}/"))?)
            .transport(self.wire.clone())
            .limits(limits)
            .datastore(self.folder)
            .expiration_enforcement(ExpirationEnforcement::Safe)
            .load()
            .await;
        // The library takes any failure to get a newer root for there being none. A server that fails there may be
        // hiding that a key was revoked.
        if let Some(error) = self.first_failure() {
            return Err(error);
        }
        loaded.map_err(|error| of_tough(&error))
    }

    fn first_failure(&self) -> Option<SyncError> {
        self.wire.tally().failure.take().map(SyncError::Http)
    }

    /// What was verified before something else failed is kept, so that older versions of it stay refused: the
    /// specification's section 5.3 to 5.5. The feed itself and its age stay as they were.
    fn keep_what_is_trusted(&self, name: &str, is_pinned_anew: bool) {
        let Some(before) = self.before.filter(|_| !is_pinned_anew) else { return };
        if self.folder.join("root.json").is_file() {
            // A failure here leaves what was known before, which is no worse.
            drop(self.state.commit(&Current { metadata: name.to_owned(), ..before.clone() }));
        }
    }
}

/// A name for the root that a person gave: of this time, or of the time it was given.
fn pinned_root(request: &SyncRequest<'_>, before: Option<&Current>) -> Result<String, SyncError> {
    match (request.root, before) {
        (Some(root), _) => Ok(blake3::hash(root).to_hex().to_string()),
        (None, Some(before)) => Ok(before.pinned_root.clone()),
        (None, None) => Err(SyncError::RootWanted { url: request.url.to_string() }),
    }
}

/// A folder name that the current one does not have.
fn next_metadata(before: Option<&Current>) -> String {
    let number = before.and_then(|before| before.metadata.rsplit('-').next()?.parse::<u64>().ok()).unwrap_or(0);
    format!("metadata-{}", number.wrapping_add(1))
}

/// A new folder with what was trusted before, so that a sync which fails leaves the old one whole.
fn prepare(state: &State, before: Option<&Current>, folder: &Path) -> Result<(), StateError> {
    let failed = |cause| StateError::Make { path: folder.to_path_buf(), cause };
    fs::create_dir_all(folder).map_err(failed)?;
    let Some(before) = before else { return Ok(()) };
    let old = state.metadata_path(&before.metadata);
    for name in TRUSTED {
        match fs::copy(old.join(name), folder.join(name)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => return Err(failed(cause)),
        }
    }
    Ok(())
}
