//! Records on their way from one database to another.
//!
//! Rows are copied as they are, and both databases have the same tables, so nothing is interpreted and nothing can be
//! forgotten. At the end both are compared, row for row. Until then the one that is left is as it was, and no server starts
//! with either.

use std::path::Path;
use std::sync::Arc;

use aux_io::file::FileError;

use super::{Damage, Held, MOVED, MOVING, MoveError, MoveStep, Moved, Way, looked_at};
use crate::cache::{ELSEWHERE, IN_FOLDER, NARS};
use crate::objects::Objects;
use crate::records::{Contents, Records, Table, tables};

impl Held<'_> {
    /// Moves the records. `hashed` are NARs that were just read, and their bytes; otherwise all are read before.
    pub(super) fn records(
        &self,
        hashed: Option<(u64, u64)>,
        step: &mut dyn FnMut(MoveStep),
    ) -> Result<Moved, MoveError> {
        let (Some(way), Some(place)) = (self.wish.records, &self.wish.place) else {
            return Err(MoveError::Nothing { from: "no database".to_owned() });
        };
        let data = &self.wish.data;
        let (in_folder, in_database) = (data.join("cache.sqlite").display().to_string(), place.to_string());
        let (from, to) = match way {
            Way::Out => (&in_folder, &in_database),
            Way::Back => (&in_database, &in_folder),
        };
        let (source, _) = self.current()?;
        let contents = left(&source, from)?;
        let check = |step: &mut dyn FnMut(MoveStep)| hashed.map_or_else(|| self.checked_nars(&source, step), Ok);
        if self.wish.is_dry {
            // Where they were moved already, there is nothing to be looked at.
            if let Some(to) = source.setting(MOVED)? {
                return Err(MoveError::Gone { from: from.clone(), to });
            }
            return check(step).map(|(nars, bytes)| moved(&contents, nars, bytes));
        }
        let target = match way {
            Way::Out => self.shared()?,
            Way::Back => Records::open(data)?,
        };
        let is_begun = target.setting(MOVING)?.as_deref() == Some(from);
        if let Some(elsewhere) = source.setting(MOVED)?.filter(|known| known != to || !is_begun) {
            return Err(MoveError::Gone { from: from.clone(), to: elsewhere });
        }
        let (nars, stored_bytes) = check(step)?;
        begin(&target, (from, to), is_begun)?;
        copy(&source, &target, &contents, step)?;
        // The part of the only one ends with its connection, and somebody may have come meanwhile.
        let shared = if way == Way::Out { &target } else { &source };
        if !shared.serve(true)? {
            return Err(MoveError::DatabaseInUse { place: place.clone() });
        }
        // From here on the source is the old one, and once the target forgets that it was being filled, it is the new one.
        source.set_setting(MOVED, to)?;
        if way == Way::Out && target.setting(NARS)?.as_deref() == Some(IN_FOLDER) {
            // Which folder, the first server to start says.
            target.remove_setting(NARS)?;
        }
        target.remove_setting(MOVED)?;
        target.remove_setting(MOVING)?;
        if way == Way::Back {
            forget_elsewhere(&data.join(ELSEWHERE))?;
        }
        Ok(moved(&contents, nars, stored_bytes))
    }

    /// Reads and hashes every NAR; how many there are, and the bytes of their files.
    fn checked_nars(&self, source: &Records, step: &mut dyn FnMut(MoveStep)) -> Result<(u64, u64), MoveError> {
        let known = source.setting(NARS)?.filter(|known| known != IN_FOLDER);
        if let Some(known) = known.filter(|known| self.bucket.as_ref().is_none_or(|one| one.address() != *known)) {
            return Err(MoveError::InBucket { known });
        }
        let bucket = self.bucket.as_ref().map(Arc::clone);
        let objects = Objects::open_to_check(&self.wish.data)?.with_shared_bucket(bucket);
        let rows = source.objects()?;
        step(MoveStep::Nars(rows.len() as u64));
        let (mut damage, mut bytes) = (Damage::default(), 0_u64);
        for object in &rows {
            damage.count(object, looked_at(&objects, object))?;
            bytes = bytes.saturating_add(object.file_size);
            step(MoveStep::Checked);
        }
        damage.end()?;
        Ok((rows.len() as u64, bytes))
    }
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
    Moved { tables, nars, stored_bytes, carried: None }
}
