//! Packs of several servers: each written by one of them for one NAR, put whole where all see it, and never changed.
//!
//! So no two servers write to the same file, and a bucket can hold them, which takes no bytes behind others.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;

use super::super::bucket::Bucket;
use super::super::{ObjectError, classified, sync_folder};
use super::pack::{self, Listed, Pack};
use super::present::Present;

/// The number of a pack that is being written and has none.
pub(super) const UNSEALED: u32 = u32::MAX;

/// Where packs are put.
#[derive(Debug)]
pub(crate) struct Sealed {
    place: Place,
    /// Where this server writes them before.
    incoming: PathBuf,
    next: AtomicU64,
    /// Packs that the bucket had not long ago.
    present: Arc<Present>,
}

#[derive(Debug)]
pub(crate) enum Place {
    Folder(PathBuf),
    Bucket(Arc<Bucket>),
}

/// A pack to read from.
#[derive(Debug, Clone)]
pub(super) enum PackReader {
    File(Arc<File>),
    Remote { bucket: Arc<Bucket>, number: u32, present: Arc<Present> },
}

impl Sealed {
    /// `incoming` is a folder that no other server uses.
    pub(crate) fn new(place: Place, incoming: &Path) -> Result<Self, ObjectError> {
        if let Place::Folder(folder) = &place {
            fs::create_dir_all(folder).map_err(|cause| classified(folder, cause))?;
        }
        Ok(Self { place, incoming: incoming.to_path_buf(), next: AtomicU64::new(0), present: Arc::default() })
    }

    /// A file for a new pack. Dropped by [`Self::drop_spool`], it is gone; the next start removes what a crash left.
    pub(super) fn spool(&self) -> Result<Pack, ObjectError> {
        let path = self.incoming.join(format!("{}.pack", self.next.fetch_add(1, Ordering::Relaxed)));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|cause| classified(&path, cause))?;
        Ok(Pack { number: UNSEALED, size: 0, file, path })
    }

    pub(super) fn drop_spool(pack: &Pack) {
        // One that was put into the folder has another name by now.
        drop(fs::remove_file(&pack.path));
    }

    /// Puts a pack under its number. It is there for everybody when this returns.
    pub(super) fn put(&self, pack: &mut Pack, number: u32) -> Result<(), ObjectError> {
        match &self.place {
            Place::Folder(folder) => {
                pack.file.sync_all().map_err(|cause| classified(&pack.path, cause))?;
                let target = folder.join(pack::name(number));
                fs::rename(&pack.path, &target).map_err(|cause| classified(&target, cause))?;
                sync_folder(folder)
            }
            Place::Bucket(bucket) => bucket.put_pack(number, &mut pack.file, pack.size),
        }
    }

    pub(super) fn reader(&self, number: u32) -> Result<PackReader, ObjectError> {
        match &self.place {
            Place::Folder(folder) => {
                let path = folder.join(pack::name(number));
                let file = File::open(&path).map_err(|cause| classified(&path, cause))?;
                Ok(PackReader::File(Arc::new(file)))
            }
            Place::Bucket(bucket) => {
                let (bucket, present) = (Arc::clone(bucket), Arc::clone(&self.present));
                Ok(PackReader::Remote { bucket, number, present })
            }
        }
    }

    /// Whether packs can be had, where opening them did not tell. Those are not asked for again that were there not long ago.
    pub(super) fn ask_for(&self, numbers: impl Iterator<Item = u32>, now: Instant) -> Result<(), ObjectError> {
        let Place::Bucket(bucket) = &self.place else { return Ok(()) };
        let unknown = self.present.unknown(numbers, now);
        bucket.ask_for_packs(&unknown)?;
        self.present.remember(&unknown, now);
        Ok(())
    }

    /// Removes a pack; one that is not there is no error.
    pub(super) fn remove(&self, number: u32) -> Result<(), ObjectError> {
        match &self.place {
            Place::Folder(folder) => {
                let path = folder.join(pack::name(number));
                match fs::remove_file(&path) {
                    Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(classified(&path, cause)),
                    _ => Ok(()),
                }
            }
            Place::Bucket(bucket) => bucket.remove_pack(number),
        }
    }

    pub(super) fn list(&self) -> Result<Listed, ObjectError> {
        match &self.place {
            Place::Folder(folder) => pack::list(folder),
            Place::Bucket(bucket) => bucket.list_packs(),
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// Where they are, for errors.
    pub(super) fn path(&self) -> PathBuf {
        match &self.place {
            Place::Folder(folder) => folder.clone(),
            Place::Bucket(bucket) => bucket.address().into(),
        }
    }
}

impl PackReader {
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote { .. })
    }

    pub(super) fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(into, position),
            Self::Remote { bucket, number, present } => {
                let read = bucket.read_pack(*number, position, into.len() as u64);
                let bytes = read.inspect_err(|_| present.forget(&[*number]))?;
                into.copy_from_slice(&bytes);
                Ok(())
            }
        }
    }

    /// Parts of packs in a bucket, at the same time.
    pub(super) fn read_all(packs: &BTreeMap<u32, Self>, parts: &[(u32, u64, u64)]) -> io::Result<Vec<Bytes>> {
        let first = parts.first().and_then(|(number, _, _)| packs.get(number));
        let Some(Self::Remote { bucket, present, .. }) = first else { return Err(io::ErrorKind::NotFound.into()) };
        bucket.read_packs(parts).inspect_err(|_| {
            let numbers: Vec<u32> = parts.iter().map(|(number, _, _)| *number).collect();
            present.forget(&numbers);
        })
    }
}
