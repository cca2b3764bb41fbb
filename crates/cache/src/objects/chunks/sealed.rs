//! Packs of several servers: each written by one of them for one NAR, put whole where all see it, and never changed.
//!
//! So no two servers write to the same file, and a bucket can hold them, which takes no bytes behind others.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::bucket::Bucket;
use super::super::{ObjectError, classified, sync_folder};
use super::pack::{self, Listed, Pack};

/// The number of a pack that is being written and has none.
pub(super) const UNSEALED: u32 = u32::MAX;

/// Where packs are put.
#[derive(Debug)]
pub(crate) struct Sealed {
    place: Place,
    /// Where this server writes them before.
    incoming: PathBuf,
    next: AtomicU64,
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
    Remote { bucket: Arc<Bucket>, number: u32 },
}

impl Sealed {
    /// `incoming` is a folder that no other server uses.
    pub(crate) fn new(place: Place, incoming: &Path) -> Result<Self, ObjectError> {
        if let Place::Folder(folder) = &place {
            fs::create_dir_all(folder).map_err(|cause| classified(folder, cause))?;
        }
        Ok(Self { place, incoming: incoming.to_path_buf(), next: AtomicU64::new(0) })
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
            Place::Bucket(bucket) => Ok(PackReader::Remote { bucket: Arc::clone(bucket), number }),
        }
    }

    /// Whether a pack can be had, where opening it did not tell.
    pub(super) fn ask_for(&self, number: u32) -> Result<(), ObjectError> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Bucket(bucket) => bucket.ask_for_pack(number),
        }
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
            Self::Remote { bucket, number } => {
                let bytes = bucket.read_pack(*number, position, into.len() as u64)?;
                into.copy_from_slice(&bytes);
                Ok(())
            }
        }
    }
}
