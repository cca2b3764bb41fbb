//! Moving: the records of a data folder go to another database and back, while no server uses either.
//!
//! Rows are copied as they are, and both databases have the same tables, so nothing is interpreted and nothing can be
//! forgotten. A move that was broken off at any point is begun again with the same words: what is there already stays, and
//! at the end both are compared, row for row. Until then the one that is left is as it was, and no server starts with either.

use std::path::{Path, PathBuf};

use aux_io::file::{self, FileError};

use crate::cache::{ELSEWHERE, IN_FOLDER, NARS};
use crate::check::damage;
use crate::objects::{ObjectError, Objects};
use crate::records::{Contents, Place, Records, RecordsError, Table, tables};

/// In a database that a move goes to: from where, until it is done.
pub(crate) const MOVING: &str = "moving";
/// In one that was moved: to where.
pub(crate) const MOVED: &str = "moved";

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From `cache.sqlite` of the folder to the database.
    ToShared,
    /// From the database to `cache.sqlite` of the folder.
    ToEmbedded,
}

/// What is wished for.
#[derive(Debug, Clone)]
pub struct Move {
    pub data: PathBuf,
    pub place: Place,
    pub way: Way,
    /// Only what would be moved is looked at, and whether it is whole.
    pub is_dry: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveStep {
    /// So many NARs are there to be checked.
    Nars(u64),
    Checked,
    /// So many rows of a table are to be copied.
    Table(&'static str, u64),
    Copied(u64),
}

/// What was moved, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Rows of each table.
    pub tables: Vec<(&'static str, u64)>,
    pub nars: u64,
    pub stored_bytes: u64,
}

/// Why nothing was moved, or not all. The records that are left are as they were.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("{}: an aux-server is using this folder; stop it first", path.display())]
    FolderInUse { path: PathBuf },
    #[error("{place}: an aux-server is using it; stop all first")]
    DatabaseInUse { place: Place },
    #[error("{from}: there are no records of a cache")]
    Nothing { from: String },
    #[error("{from}: its records were moved to {to}")]
    Gone { from: String, to: String },
    #[error("{from}: records are being moved here from {origin}, and that was broken off; end that first")]
    Unfinished { from: String, origin: String },
    #[error("{to}: there are records of another cache; name an empty database")]
    Occupied { to: String },
    #[error("{}: there is no folder `objects` with the NARs", path.display())]
    NoNars { path: PathBuf },
    #[error(
        "{wrong} NARs are missing or damaged, the first is {first}; start the server that has the records now, let `aux cache \
         fsck` name all, and push them again"
    )]
    Nars { wrong: u64, first: String },
    #[error("{table}: {found} rows came of {wanted}, or others; nothing was taken from where they are")]
    Different { table: &'static str, wanted: u64, found: u64 },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("{0}")]
    Object(#[from] ObjectError),
}

/// Moves the records. NARs stay in the folder, and are hashed before.
pub fn migrate(wish: &Move, step: &mut dyn FnMut(MoveStep)) -> Result<Moved, MoveError> {
    let data = &wish.data;
    let embedded = data.join("cache.sqlite");
    let (in_folder, in_database) = (embedded.display().to_string(), wish.place.to_string());
    if !data.join("objects").is_dir() {
        return Err(MoveError::NoNars { path: data.clone() });
    }
    let _lock = file::lock(data.join("lock"))?.ok_or_else(|| MoveError::FolderInUse { path: data.clone() })?;
    let (from, to) = match wish.way {
        Way::ToShared => (&in_folder, &in_database),
        Way::ToEmbedded => (&in_database, &in_folder),
    };
    if wish.way == Way::ToShared && !embedded.is_file() {
        return Err(MoveError::Nothing { from: from.clone() });
    }
    let open_shared = || -> Result<Records, MoveError> {
        let records = Records::connect(&wish.place)?;
        let is_alone = records.serve(true)?;
        if is_alone { Ok(records) } else { Err(MoveError::DatabaseInUse { place: wish.place.clone() }) }
    };
    let source = match wish.way {
        Way::ToShared => Records::open(data)?,
        Way::ToEmbedded => open_shared()?,
    };
    let contents = left(&source, from)?;
    if wish.is_dry {
        // Where they were moved already, there is nothing to be looked at.
        if let Some(to) = source.setting(MOVED)? {
            return Err(MoveError::Gone { from: from.clone(), to });
        }
        return checked_nars(data, &source, step).map(|(nars, bytes)| moved(&contents, nars, bytes));
    }
    let target = match wish.way {
        Way::ToShared => open_shared()?,
        Way::ToEmbedded => Records::open(data)?,
    };
    let is_begun = target.setting(MOVING)?.as_deref() == Some(from);
    if let Some(elsewhere) = source.setting(MOVED)?.filter(|known| known != to || !is_begun) {
        return Err(MoveError::Gone { from: from.clone(), to: elsewhere });
    }
    let (nars, stored_bytes) = checked_nars(data, &source, step)?;
    begin(&target, (from, to), is_begun)?;
    copy(&source, &target, &contents, step)?;
    // The part of the only one ends with its connection, and somebody may have come meanwhile.
    let shared = if wish.way == Way::ToShared { &target } else { &source };
    if !shared.serve(true)? {
        return Err(MoveError::DatabaseInUse { place: wish.place.clone() });
    }
    // From here on the source is the old one, and once the target forgets that it was being filled, it is the new one.
    source.set_setting(MOVED, to)?;
    if wish.way == Way::ToShared && target.setting(NARS)?.as_deref() == Some(IN_FOLDER) {
        // Which folder, the first server to start says.
        target.remove_setting(NARS)?;
    }
    target.remove_setting(MOVED)?;
    target.remove_setting(MOVING)?;
    if wish.way == Way::ToEmbedded {
        forget_elsewhere(&data.join(ELSEWHERE))?;
    }
    Ok(moved(&contents, nars, stored_bytes))
}

/// What is to be moved.
fn left(source: &Records, from: &str) -> Result<Vec<(Table, Contents)>, MoveError> {
    if let Some(origin) = source.setting(MOVING)? {
        return Err(MoveError::Unfinished { from: from.to_owned(), origin });
    }
    if source.setting("made")?.is_none() {
        return Err(MoveError::Nothing { from: from.to_owned() });
    }
    tables().into_iter().map(|table| Ok((table.clone(), source.contents(&table)?))).collect()
}

/// Makes the target one that is being filled. What it held before is thrown away only if it was moved from there.
fn begin(target: &Records, (from, to): (&str, &str), is_begun: bool) -> Result<(), MoveError> {
    if is_begun {
        return Ok(());
    }
    let origin = target.setting(MOVING)?;
    let is_old = target.setting(MOVED)?.is_some();
    if origin.is_some() || (!is_old && target.setting("made")?.is_some()) {
        return Err(MoveError::Occupied { to: to.to_owned() });
    }
    target.set_setting(MOVING, from)?;
    Ok(target.clear()?)
}

/// Copies until both are the same. What an earlier attempt copied may have been changed at its source since.
fn copy(
    source: &Records,
    target: &Records,
    contents: &[(Table, Contents)],
    step: &mut dyn FnMut(MoveStep),
) -> Result<(), MoveError> {
    for is_last in [false, true] {
        for (table, wanted) in contents {
            step(MoveStep::Table(table.name, wanted.rows));
            source.copy(table, target, &mut |rows| step(MoveStep::Copied(rows)))?;
        }
        let mut different = None;
        for (table, wanted) in contents {
            let found = target.contents(table)?;
            if found != *wanted {
                different = Some(MoveError::Different { table: table.name, wanted: wanted.rows, found: found.rows });
                break;
            }
        }
        match different {
            None => return Ok(()),
            Some(error) if is_last => return Err(error),
            Some(_) => target.clear()?,
        }
    }
    Ok(())
}

/// Reads and hashes every NAR; how many there are, and the bytes of their files.
fn checked_nars(data: &Path, source: &Records, step: &mut dyn FnMut(MoveStep)) -> Result<(u64, u64), MoveError> {
    let objects = Objects::open_to_check(data)?;
    let rows = source.objects()?;
    step(MoveStep::Nars(rows.len() as u64));
    let (mut wrong, mut first, mut bytes) = (0, None, 0_u64);
    for object in &rows {
        let is_whole = objects.open_object(&object.into()).is_ok_and(|stored| damage(&stored, object).is_none());
        if !is_whole {
            wrong += 1;
            first.get_or_insert_with(|| object.nar_hash.nix32());
        }
        bytes = bytes.saturating_add(object.file_size);
        step(MoveStep::Checked);
    }
    match first {
        Some(first) => Err(MoveError::Nars { wrong, first }),
        None => Ok((rows.len() as u64, bytes)),
    }
}

/// The folder has its records in itself again.
fn forget_elsewhere(marker: &Path) -> Result<(), MoveError> {
    match std::fs::remove_file(marker) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::Write { path: marker.to_path_buf(), cause }.into())
        }
        _ => Ok(()),
    }
}

fn moved(contents: &[(Table, Contents)], nars: u64, stored_bytes: u64) -> Moved {
    let tables = contents.iter().map(|(table, contents)| (table.name, contents.rows)).collect();
    Moved { tables, nars, stored_bytes }
}
