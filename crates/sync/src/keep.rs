//! Taking the newest index into the state: by a delta where one fits, else whole.

use std::fs;

use aux_advisory::index::Index;
use aux_advisory::index::delta::{apply, checksum};
use aux_advisory::publication::{CUSTOM, DeltaNote, INDEX_TARGET, IndexNote};
use aux_core::hexadecimal;
use aux_core::limits::INDEX_BYTES_MAX;
use tough::schema::Target;
use tough::{IntoVec, Repository, TargetName};

use crate::error::{SyncError, of_tough};
use crate::state::{Current, State};
use crate::sync::Means;

/// What the metadata says the feed is now.
pub(crate) fn note(repository: &Repository) -> Result<(IndexNote, u64), SyncError> {
    let name = TargetName::new(INDEX_TARGET).map_err(|error| of_tough(&error))?;
    let missing = || SyncError::Publication { cause: format!("it lists no {INDEX_TARGET}") };
    let target = repository.targets().signed.targets.get(&name).ok_or_else(missing)?;
    let note = serde_json::from_value::<IndexNote>(target.custom.get(CUSTOM).cloned().unwrap_or_default())
        .map_err(|error| SyncError::Publication { cause: format!("{INDEX_TARGET}: {error}") })?;
    if note.length > INDEX_BYTES_MAX {
        return Err(SyncError::Endless { url: INDEX_TARGET.to_owned(), limit_bytes: INDEX_BYTES_MAX });
    }
    Ok((note, target.length))
}

/// The smallest delta that takes this client to the newest serial, if it is smaller than the whole.
fn delta(repository: &Repository, serial: u64, whole_bytes: u64) -> Option<TargetName> {
    let fits = |(name, target): (&TargetName, &Target)| {
        let note = target.custom.get(CUSTOM).cloned()?;
        let DeltaNote { since } = serde_json::from_value(note).ok()?;
        (since <= serial && target.length < whole_bytes).then(|| (target.length, name.clone()))
    };
    let targets = repository.targets().signed.targets.iter();
    targets.filter_map(fits).min_by_key(|(length, _)| *length).map(|(_, name)| name)
}

/// Fetches what is missing and returns the newest index, checked against what was signed.
pub(crate) async fn newest(
    repository: &Repository,
    state: &State,
    current: Option<&Current>,
    (note, whole_bytes): (&IndexNote, u64),
) -> Result<(Vec<u8>, Means), SyncError> {
    if let Some(current) = current
        && let Some(name) = delta(repository, current.serial, whole_bytes)
        && let Ok(base) = aux_io::file::map(state.index_path(current))
    {
        let bytes = target(repository, &name, state).await?;
        // A base that was damaged meanwhile is no reason to fail: the whole index mends it.
        if let Ok(index) = apply(&base, &bytes)
            && is_signed(&index, note)
        {
            return Ok((index, Means::Delta));
        }
    }
    let name = TargetName::new(INDEX_TARGET).map_err(|error| of_tough(&error))?;
    let packed = target(repository, &name, state).await?;
    let length = usize::try_from(note.length).unwrap_or(usize::MAX);
    let index =
        zstd::bulk::decompress(&packed, length).map_err(|error| SyncError::Packing { cause: error.to_string() })?;
    if !is_signed(&index, note) {
        return Err(SyncError::OtherIndex);
    }
    Index::open(&index).map_err(SyncError::Index)?;
    Ok((index, Means::Whole))
}

fn is_signed(index: &[u8], note: &IndexNote) -> bool {
    checksum(index).is_some_and(|sum| hexadecimal(&sum) == note.checksum)
}

/// A target's bytes, complete and with the hash that was signed.
async fn target(repository: &Repository, name: &TargetName, state: &State) -> Result<Vec<u8>, SyncError> {
    fs::create_dir_all(state.partial()).map_err(|cause| crate::StateError::Make { path: state.partial(), cause })?;
    let stream = repository.read_target(name).await.map_err(|error| of_tough(&error))?;
    let stream = stream.ok_or_else(|| SyncError::Publication { cause: format!("it lists no {}", name.raw()) })?;
    let bytes = stream.into_vec().await.map_err(|error| of_tough(&error));
    if matches!(bytes, Err(SyncError::Swapped { .. } | SyncError::Endless { .. })) {
        // What was kept of it would be continued the next time, and be wrong again.
        drop(fs::remove_dir_all(state.partial()));
    }
    bytes
}
