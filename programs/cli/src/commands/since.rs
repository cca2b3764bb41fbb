//! `aux audit --since OLD`: the same target as it was, by a git revision, an earlier flake.lock or another file.

use std::path::Path;

use aux_audit::formats::Format;
use aux_core::Inventory;
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_inventory::detect::{self, JsonDocument};
use aux_repo::{LayoutError, Reference, Target, WorkTree};

use super::flakes::{Flakes, is_flake, unread};
use crate::failure::Failure;
use crate::ui::Ui;

/// The formats that changes have.
pub(crate) const FORMATS: [Format; 3] = [Format::Table, Format::Json, Format::Markdown];

/// Reads `target` as it was at `old`. What cannot be read of it is a problem there, as it is of a target now.
pub(crate) fn inventories(target: &str, old: &str, flakes: &Flakes, ui: &Ui) -> Result<Vec<Inventory>, Failure> {
    let is_file = Path::new(old).is_file();
    match Target::parse(target) {
        Some(Ok(repository)) if is_file => remote_with_lock(&repository, old, flakes, ui),
        Some(Ok(repository)) => {
            let reference =
                Reference::parse(old).map_err(|error| Failure::new(format!("--since {old}: {error}")).hint(HINT))?;
            Ok(flakes.read_at(&repository.at(reference), ui))
        }
        // The target itself says what is wrong with its word.
        Some(Err(error)) => Ok(vec![unread(target, error.to_string())]),
        None if is_flake(Path::new(target)) && is_file => local_with_lock(target, old, flakes, ui),
        None if is_flake(Path::new(target)) => local_at_revision(target, old, flakes, ui),
        None if Path::new(old).exists() => Ok(vec![aux_inventory::read(old, &flakes.options)]),
        None => Err(Failure::new(format!("--since {old}: no such file")).hint(HINT)),
    }
}

const HINT: &str = "for a flake name a branch, tag, revision or an earlier flake.lock; for any other target the file of the \
                    same thing at an earlier time";

fn local_at_revision(target: &str, old: &str, flakes: &Flakes, ui: &Ui) -> Result<Vec<Inventory>, Failure> {
    let tree = WorkTree::containing(&flakes.git, Path::new(target));
    if !tree.is_git() {
        return Err(
            Failure::new(format!("{target}: is under no git, so there is no revision `{old}` of it")).hint(HINT)
        );
    }
    let revision =
        tree.resolve(old).map_err(|error| Failure::new(format!("--since {old}: {error}")).hint(
            "no such file and no such revision here; a shallow checkout lacks earlier ones: fetch them (in CI: a depth of 0)",
        ))?;
    let scratch = flakes.scratch().map_err(Failure::new)?;
    let laid = aux_repo::fetch_local(&flakes.git, tree.root(), &revision, &flakes.cache)
        .map_err(|error| error.to_string())
        .and_then(|repository| {
            repository.lay_out(&revision, &scratch.path("source")).map_err(|error| error.to_string())
        });
    Ok(match laid {
        Ok(_) => flakes.laid(target, &scratch.path("source").join(tree.inside()), ui),
        Err(error) => vec![unread(target, format!("at {}: {error}", revision.short()))],
    })
}

fn local_with_lock(target: &str, old: &str, flakes: &Flakes, ui: &Ui) -> Result<Vec<Inventory>, Failure> {
    let lock = lock_file(old)?;
    let tree = WorkTree::containing(&flakes.git, Path::new(target));
    let scratch = flakes.scratch().map_err(Failure::new)?;
    let folder = scratch.path("source");
    let copied = tree.copy_to(&folder);
    Ok(with_lock(target, copied.map(drop), &folder.join(tree.inside()), &lock, (flakes, ui)))
}

fn remote_with_lock(target: &Target, old: &str, flakes: &Flakes, ui: &Ui) -> Result<Vec<Inventory>, Failure> {
    let lock = lock_file(old)?;
    let scratch = flakes.scratch().map_err(Failure::new)?;
    let folder = scratch.path("source");
    let fetched = match aux_repo::fetch(&flakes.git, target, &flakes.cache) {
        Ok(fetched) => fetched,
        Err(error) => return Ok(vec![unread(&target.name, error.to_string())]),
    };
    let laid = fetched.0.lay_out(&fetched.1, &folder);
    Ok(with_lock(&target.name, laid.map(drop), &folder.join(&target.dir), &lock, (flakes, ui)))
}

/// Reads a copy of a flake with another lock in it.
fn with_lock(
    name: &str,
    copied: Result<(), LayoutError>,
    folder: &Path,
    lock: &[u8],
    (flakes, ui): (&Flakes, &Ui),
) -> Vec<Inventory> {
    let place = folder.join("flake.lock");
    // Where the lock is a link, the link is what goes.
    let written = copied.map_err(|error| error.to_string()).and_then(|()| {
        match std::fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", place.display()));
            }
            _ => {}
        }
        aux_io::file::replace(&place, lock).map_err(|error| error.to_string())
    });
    match written {
        Ok(()) => flakes.laid(name, folder, ui),
        Err(error) => vec![unread(name, format!("with the earlier lock: {error}"))],
    }
}

fn lock_file(path: &str) -> Result<Vec<u8>, Failure> {
    let bytes = aux_io::input::read(path, DOCUMENT_BYTES_MAX)?;
    match detect::json(&bytes) {
        JsonDocument::FlakeLock => Ok(bytes),
        _ => Err(Failure::new(format!("--since {path}: is a file, and no flake.lock")).hint(HINT)),
    }
}
