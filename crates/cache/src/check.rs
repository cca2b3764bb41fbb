//! Keeping order: collection of what nobody needs, and the check that everything which is kept is what it was.

use std::collections::BTreeSet;

use crate::records::RecordsError;
use aux_nix::{NarInfo, Sha256};
use jiff::Timestamp;

use crate::access::Caller;
use crate::cache::Cache;
use crate::names::PathHash;
use crate::objects::{Found, ObjectError, ObjectName, Stored};
use crate::receive::{ReceiveError, rehash};
use crate::records::{Collected, ObjectRow, PathRow, SpaceRow, Terms};

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    pub objects: u64,
    pub stored_bytes: u64,
    pub paths: u64,
    pub problems: Vec<Wrong>,
    /// Files that no record knows: a push that was broken off between the file and its record leaves one. Collection
    /// removes them.
    pub leftovers: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// `database`, `object`, `file`, `path` or `signature`.
    pub kind: &'static str,
    pub subject: String,
    pub detail: String,
}

/// Why order could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error(transparent)]
    Database(#[from] RecordsError),
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// The NARs that records speak of.
pub(crate) struct Known {
    nars: BTreeSet<Sha256>,
    names: BTreeSet<ObjectName>,
}

impl Known {
    pub(crate) fn of(objects: &[ObjectRow]) -> Self {
        Self {
            nars: objects.iter().map(|object| object.nar_hash).collect(),
            names: objects.iter().map(ObjectName::from).collect(),
        }
    }

    /// `None` where it is no NAR.
    pub(crate) fn has(&self, found: &Found) -> Option<bool> {
        match found {
            Found::Object(hash) => Some(self.nars.contains(hash)),
            Found::Remote(name) => Some(self.names.contains(name)),
            Found::Foreign(_) => None,
        }
    }
}

impl Cache {
    /// Removes what nobody needs, or says what it would remove.
    pub fn collect(&self, terms: Terms, caller: &Caller) -> Result<Collected, OrderError> {
        let actor = self.actor(caller);
        // Room has to come back also where a disk is so full that nothing can be written down.
        if terms.asks_uses() {
            self.write_uses()?;
        }
        if terms.is_dry {
            return Ok(self.records.collect(terms, &actor)?);
        }
        let _views = self.changing_views()?;
        // Nothing is kept meanwhile, so that no file appears between its record's end and its own.
        let keeping = self.keeping_alone()?;
        self.forget_returned(&keeping)?;
        let collected = keeping.collect(terms, &actor)?;
        for row in keeping.spaces()?.into_iter().filter(|_| collected.paths > 0) {
            self.refill(&row)?;
        }
        self.remove_unknown(&keeping)?;
        self.objects.settle(self.now())?;
        drop(keeping);
        self.objects.sweep()?;
        Ok(collected)
    }

    /// The terms under which no more goes than must, so that what stays takes at most so many bytes: what was pushed or used
    /// last stays, and all that it needs. Where that cannot be had, the terms that were given.
    pub fn terms_within(&self, stored_bytes_max: u64, terms: Terms, caller: &Caller) -> Result<Terms, OrderError> {
        self.write_uses()?;
        let (actor, stored) = (self.actor(caller), self.records.stored()?.1);
        let at = |second: i64| Timestamp::from_second(second).map_or(terms.before, |before| before.min(terms.before));
        let within = |second: i64| Terms { before: at(second), by_use: true, ..terms };
        let fits = |second: i64| -> Result<bool, OrderError> {
            let tried = Terms { is_dry: true, ..within(second) };
            let goes = self.records.collect(tried, &actor)?.stored_bytes;
            Ok(stored.saturating_sub(goes) <= stored_bytes_max)
        };
        let before = first(terms.before.as_second(), fits)?;
        Ok(within(before))
    }

    /// Reads and hashes everything. What is pushed meanwhile may not be seen.
    pub fn check(&self) -> Result<Checked, OrderError> {
        let mut checked = Checked::default();
        for detail in self.records.check()? {
            checked.wrong("database", "records", detail);
        }
        for detail in self.objects.check()? {
            checked.wrong("database", "chunks.sqlite", detail);
        }
        let objects = self.records.objects()?;
        for object in &objects {
            checked.objects += 1;
            checked.stored_bytes = checked.stored_bytes.saturating_add(object.file_size);
            self.check_object(object, &mut checked);
        }
        checked.stored_bytes = self.objects.taken_bytes(checked.stored_bytes)?;
        let (known, leaving) = (Known::of(&objects), self.records.leaving()?);
        let is_leaving =
            |found: &Found| matches!(found, Found::Remote(name) if leaving.contains_key(&name.to_string()));
        self.objects.list(&mut |found| match (known.has(&found), found) {
            (None, Found::Foreign(path)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                checked.wrong("file", &name, "is no NAR, and nobody put it there".to_owned());
            }
            (is_known, found) => checked.leftovers += u64::from(is_known == Some(false) && !is_leaving(&found)),
        })?;
        let damaged = checked.problems.iter().filter(|wrong| wrong.kind == "object");
        let damaged: BTreeSet<String> = damaged.map(|wrong| wrong.subject.clone()).collect();
        for space in self.records.spaces()? {
            self.check_space(&space, &damaged, &mut checked)?;
        }
        Ok(checked)
    }

    pub(crate) fn check_object(&self, object: &ObjectRow, checked: &mut Checked) {
        let damage = match self.objects.open_object(&object.into()) {
            Ok(stored) => damage(&stored, object),
            // It may have been collected since the records were asked.
            Err(_) if matches!(self.records.object(object.nar_hash), Ok(None)) => None,
            Err(_) => Some("its file is missing or cannot be opened".to_owned()),
        };
        if let Some(detail) = damage {
            checked.wrong("object", &object.nar_hash.nix32(), detail);
        }
    }

    /// Every visible path is what its narinfo says, has all it needs, and is served as it is written down.
    fn check_space(
        &self,
        row: &SpaceRow,
        damaged: &BTreeSet<String>,
        checked: &mut Checked,
    ) -> Result<(), RecordsError> {
        let paths = self.records.visible(row)?;
        let known: BTreeSet<PathHash> = paths.iter().map(|path| path.hash).collect();
        for path in &paths {
            checked.paths += 1;
            let nar = path.object.nar_hash.nix32();
            let is_damaged = damaged.contains(&nar).then(|| format!("its NAR {nar} is damaged or missing"));
            if let Some(detail) = is_damaged.or_else(|| self.check_path(path, &known).err()) {
                checked.wrong("path", &format!("{}/{}", row.name, path.base), detail);
            }
        }
        Ok(())
    }

    fn check_path(&self, path: &PathRow, known: &BTreeSet<PathHash>) -> Result<(), String> {
        let info = NarInfo::parse(path.narinfo.as_bytes()).map_err(|error| format!("its narinfo: {error}"))?;
        let object = path.object;
        if PathHash::of(&info.path) != Some(path.hash) || info.path.as_str() != path.base {
            return Err("its narinfo is of another path".to_owned());
        }
        if (info.nar_hash, info.nar_size) != (object.nar_hash, object.nar_size)
            || (info.file_hash, info.file_size) != (Some(object.file_hash), Some(object.file_size))
        {
            return Err("its narinfo is of another NAR".to_owned());
        }
        let missing = info.references.iter().find(|one| PathHash::of(one).is_none_or(|hash| !known.contains(&hash)));
        if let Some(missing) = missing {
            return Err(format!("it needs {missing}, which is not there"));
        }
        match path.signature.as_deref() {
            Some(signature) if signature != self.keys.sign(&info) => {
                Err("the server's signature is of something else".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with a NAR, read and hashed whole; `None` where it is what the records say.
pub(crate) fn damage(stored: &Stored, object: &ObjectRow) -> Option<String> {
    match rehash(&mut stored.reader(), object.packing) {
        // Here the bytes come from the store.
        Err(ReceiveError::Client(cause)) => Some(cause.to_string()),
        Err(error) => Some(error.to_string()),
        Ok(read) if (read.nar_hash, read.nar_size) != (object.nar_hash, object.nar_size) => {
            Some(format!("its content is that of {}", read.nar_hash.nix32()))
        }
        Ok(read) if (read.file_hash, read.file_size) != (object.file_hash, object.file_size) => {
            Some("its file is not the one that was put".to_owned())
        }
        Ok(_) => None,
    }
}

/// The first second up to `last` of which something is true that stays true from then on; `last` where it never is.
fn first<E>(last: i64, mut is_true: impl FnMut(i64) -> Result<bool, E>) -> Result<i64, E> {
    let (mut found, mut before) = (last, -1);
    while found - before > 1 {
        let middle = before + (found - before) / 2;
        if is_true(middle)? { found = middle } else { before = middle }
    }
    Ok(found)
}

impl Checked {
    fn wrong(&mut self, kind: &'static str, subject: &str, detail: String) {
        self.problems.push(Wrong { kind, subject: subject.to_owned(), detail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_moment_that_is_enough_is_found() {
        for wanted in [0, 1, 7, 99, 100, 101, 5_000] {
            let found = first(100, |second| Ok::<_, ()>(second >= wanted)).unwrap();
            assert_eq!(found, wanted.min(100));
        }
        assert_eq!(first(100, |_| Err("the database")), Err("the database"));
    }
}
