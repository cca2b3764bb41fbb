//! NARs on their way from the data folder to a bucket, or back: each read, hashed and unpacked strictly as if it were pushed.
//!
//! Nothing is taken from where it is. Only once every NAR is in the other place the records say so, in one word; the files of
//! the folder are put aside then, and what was in the bucket stays there.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use aux_io::file::{self, FileError};

use super::{
    Carried, Damage, Held, MOVED, MOVING, MoveError, MoveStep, Spoilt, Way, held_against, looked_at, opened, spoilt,
};
use crate::cache::{ELSEWHERE, IDENTITY, IN_FOLDER, NARS};
use crate::objects::{At, Bucket, Layout, ObjectError, Objects};
use crate::receive::{Awaited, receive, receive_whole};
use crate::records::{ObjectRow, Records};

/// What of a data folder is NARs.
const PARTS: [&str; 7] =
    ["objects", "sealed", "packs", "chunks.sqlite", "chunks.sqlite-wal", "chunks.sqlite-shm", "chunks.sqlite-journal"];

impl Held<'_> {
    pub(super) fn nars(&self, way: Way, step: &mut dyn FnMut(MoveStep)) -> Result<Carried, MoveError> {
        let wish = self.wish;
        let Some(bucket) = &self.bucket else { return Err(MoveError::InBucket { known: "no bucket".to_owned() }) };
        if wish.place.is_none() && wish.data.join(ELSEWHERE).exists() {
            return Err(MoveError::RecordsElsewhere { path: wish.data.clone() });
        }
        let (records, shown) = self.current()?;
        let from = shown.clone();
        if let Some(to) = records.setting(MOVED)? {
            if wish.records.is_none() {
                return Err(MoveError::Gone { from: shown, to });
            }
            // NARs go first, so that an attempt before carried them; whether it ended the records' part will be seen.
            let (nars_before, _) = records.stored()?;
            return Ok(Carried { to: bucket.address(), nars: 0, bytes: 0, nars_before, aside: None });
        }
        if let Some(origin) = records.setting(MOVING)? {
            return Err(MoveError::Unfinished { from, origin });
        }
        if records.setting("made")?.is_none() {
            return Err(MoveError::Nothing { from });
        }
        let known = records.setting(NARS)?.unwrap_or_else(|| IN_FOLDER.to_owned());
        match way {
            Way::Out if known != IN_FOLDER && known != bucket.address() => return Err(MoveError::InBucket { known }),
            Way::Back if known != IN_FOLDER && known != bucket.address() => {
                return Err(MoveError::NotThere { bucket: bucket.address(), known });
            }
            _ => {}
        }
        self.claim(&records, bucket)?;
        let carried = self.carry(&records, (bucket, way), step)?;
        if wish.is_dry {
            return Ok(carried);
        }
        match way {
            Way::Out => {
                records.set_setting(NARS, &bucket.address())?;
                records.forget_place(At::Folder as i64)?;
                Ok(Carried { aside: self.put_aside()?, ..carried })
            }
            Way::Back => {
                records.set_setting(NARS, IN_FOLDER)?;
                records.forget_place(At::Bucket as i64)?;
                let marker = wish.data.join(ELSEWHERE);
                if let (Some(_), Some(identity), false) = (&wish.place, records.setting(IDENTITY)?, marker.exists()) {
                    file::create_private(&marker, format!("{identity}\n").as_bytes())?;
                }
                Ok(carried)
            }
        }
    }

    /// The bucket is that of these records, from now on at the latest.
    fn claim(&self, records: &Records, bucket: &Bucket) -> Result<(), MoveError> {
        let identity = match records.setting(IDENTITY)? {
            Some(identity) => identity,
            None if self.wish.is_dry => return Ok(()),
            None => {
                let random = (self.wish.random)().ok_or(MoveError::Random)?;
                let identity = aux_core::hexadecimal(random.get(..16).unwrap_or_default());
                records.set_setting(IDENTITY, &identity)?;
                identity
            }
        };
        if !self.wish.is_dry && bucket.claim(&identity)? != identity {
            return Err(MoveError::BucketOfOthers { bucket: bucket.address() });
        }
        Ok(())
    }

    fn carry(
        &self,
        records: &Arc<Records>,
        (bucket, way): (&Arc<Bucket>, Way),
        step: &mut dyn FnMut(MoveStep),
    ) -> Result<Carried, MoveError> {
        let (data, keep, store_directory) = (&self.wish.data, self.wish.keep, &*self.wish.store_directory);
        let carrying = data.join("carrying");
        let incoming = carrying.join("incoming");
        let layout = Layout { data: &carrying, incoming: &incoming, store_directory, keep, is_shared: true };
        let in_bucket = Objects::only_bucket(&layout, records, bucket)?;
        let (source, target, to) = match way {
            Way::Out => (self.objects(records, None)?, in_bucket, bucket.address()),
            Way::Back => {
                // Packs that one server appends to are no place for several.
                let layout =
                    Layout { data, is_shared: self.wish.place.is_some() && self.wish.records.is_none(), ..layout };
                (in_bucket, Objects::open(&layout, records, None)?, data.display().to_string())
            }
        };
        let rows = records.objects()?;
        step(MoveStep::Carry(rows.len() as u64));
        let mut carried = Carried { to, nars: 0, bytes: 0, nars_before: 0, aside: None };
        let mut damage = Damage::default();
        for row in &rows {
            let moved = self.carry_one(row, (&source, &target), way);
            match damage.count(row, moved)? {
                Some(true) => carried.nars += 1,
                Some(false) => carried.nars_before += 1,
                None => {}
            }
            carried.bytes = carried.bytes.saturating_add(row.file_size);
            step(MoveStep::Carried);
        }
        damage.end()?;
        drop((source, target));
        fs::remove_dir_all(&carrying).map_err(|cause| FileError::Write { path: carrying, cause })?;
        Ok(carried)
    }

    /// Carries one NAR, unless it was before.
    fn carry_one(&self, row: &ObjectRow, (source, target): (&Objects, &Objects), way: Way) -> Result<bool, Spoilt> {
        let failed = |error: ObjectError| Spoilt::Failed(error.into());
        // An object of the bucket has the hash of its bytes in its name and came there whole; a file is read.
        let is_there = match way {
            Way::Out => target.has(&row.into()).map_err(failed)?,
            Way::Back => target.has(&row.into()).map_err(failed)? && looked_at(target, row).is_ok(),
        };
        if is_there {
            return Ok(false);
        }
        if self.wish.is_dry {
            return looked_at(source, row).map(|()| true);
        }
        let stored = opened(source, row)?;
        let awaited = Awaited { packing: Some(row.packing), ..Awaited::default() };
        let received = receive(&mut stored.reader(), target, awaited);
        let (received, arriving) = received.map_err(|error| spoilt(row, error))?;
        held_against(&received, row)?;
        if received.kept_hash == row.file_hash {
            target.replace(arriving, &received).map_err(failed)?;
            return Ok(true);
        }
        // Narinfos say which bytes are sent of it, and these would be others.
        drop(arriving);
        let received = receive_whole(&mut stored.reader(), Some(row.packing), target);
        let (received, arriving) = received.map_err(|error| spoilt(row, error))?;
        held_against(&received, row)?;
        target.replace(arriving, &received).map_err(failed)?;
        Ok(true)
    }

    /// Puts what is left in the folder aside, for a person to remove; where, if there was any.
    fn put_aside(&self) -> Result<Option<PathBuf>, MoveError> {
        let data = &self.wish.data;
        let failed = |path: &PathBuf, cause| FileError::Write { path: path.clone(), cause };
        let is_empty = |part: &PathBuf| fs::read_dir(part).is_ok_and(|mut entries| entries.next().is_none());
        let parts: Vec<PathBuf> = PARTS.iter().map(|name| data.join(name)).collect();
        let left: Vec<&PathBuf> = parts.iter().filter(|part| part.exists() && !is_empty(part)).collect();
        if left.is_empty() {
            return Ok(None);
        }
        let free = (0..u32::MAX).map(|number| data.join(format!("moved-{number}"))).find(|path| !path.exists());
        let Some(aside) = free else { return Ok(None) };
        fs::create_dir(&aside).map_err(|cause| failed(&aside, cause))?;
        for part in left {
            let target = part.file_name().map_or_else(|| aside.clone(), |name| aside.join(name));
            fs::rename(part, &target).map_err(|cause| failed(part, cause))?;
        }
        let objects = data.join("objects");
        fs::create_dir_all(&objects).map_err(|cause| failed(&objects, cause))?;
        Ok(Some(aside))
    }
}
