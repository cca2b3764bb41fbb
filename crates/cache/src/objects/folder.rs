//! NARs as files: one folder, each as it was sent, named by the hash of what is in them, never changed once they stand there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aux_nix::Sha256;

use super::{Found, ObjectError, classified, entries, sync_folder};

/// Folders below the folder, by the first two characters of the name.
const SHARD_CHARACTERS: usize = 2;
const SUFFIX: &str = ".nar";

/// The folder of NARs, and beside it the one where they arrive.
#[derive(Debug)]
pub(crate) struct Folder {
    nars: PathBuf,
    incoming: PathBuf,
    next: AtomicU64,
}

/// A file that a NAR is arriving in. Dropped before it is kept, it is gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub file: File,
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    /// Opens both folders, which must be on one filesystem, makes them where they are missing, and throws away what was arriving
    /// when the server ended.
    pub(crate) fn open_at(nars: &Path, incoming: &Path) -> Result<Self, ObjectError> {
        let (nars, incoming) = (nars.to_path_buf(), incoming.to_path_buf());
        let objects = Self { nars, incoming, next: AtomicU64::new(0) };
        for folder in [&objects.nars, &objects.incoming] {
            fs::create_dir_all(folder).map_err(|cause| classified(folder, cause))?;
        }
        for entry in fs::read_dir(&objects.incoming).map_err(|cause| classified(&objects.incoming, cause))? {
            let path = entry.map_err(|cause| classified(&objects.incoming, cause))?.path();
            fs::remove_file(&path).map_err(|cause| classified(&path, cause))?;
        }
        Ok(objects)
    }

    /// A new file for a NAR that arrives.
    pub(crate) fn arrive(&self) -> Result<Incoming, ObjectError> {
        let path = self.incoming.join(format!("{}.part", self.next.fetch_add(1, Ordering::Relaxed)));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|cause| classified(&path, cause))?;
        Ok(Incoming { file, path, is_kept: false })
    }

    /// Makes an arrived NAR one of the store. It is on the disk, name and bytes, when this returns.
    pub(crate) fn keep(&self, mut incoming: Incoming, nar_hash: Sha256) -> Result<(), ObjectError> {
        incoming.file.sync_all().map_err(|cause| classified(&incoming.path, cause))?;
        let target = self.path(nar_hash);
        let shard = target.parent().unwrap_or(&self.nars);
        if !shard.is_dir() {
            fs::create_dir_all(shard).map_err(|cause| classified(shard, cause))?;
            sync_folder(&self.nars)?;
        }
        fs::rename(&incoming.path, &target).map_err(|cause| classified(&target, cause))?;
        incoming.is_kept = true;
        sync_folder(shard)
    }

    /// The file of a NAR.
    pub(crate) fn open_object(&self, nar_hash: Sha256) -> Result<File, ObjectError> {
        let path = self.path(nar_hash);
        File::open(&path).map_err(|cause| classified(&path, cause))
    }

    pub(crate) fn has(&self, nar_hash: Sha256) -> bool {
        self.path(nar_hash).is_file()
    }

    /// Removes a NAR; one that is not there is no error.
    pub(crate) fn remove(&self, nar_hash: Sha256) -> Result<(), ObjectError> {
        let path = self.path(nar_hash);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(classified(&path, cause)),
            _ => Ok(()),
        }
    }

    /// Everything that stands in the folder.
    pub(crate) fn list(&self, each: &mut dyn FnMut(Found)) -> Result<(), ObjectError> {
        for shard in entries(&self.nars)? {
            if !shard.is_dir() {
                each(Found::Foreign(shard));
                continue;
            }
            for path in entries(&shard)? {
                each(self.recognised(path));
            }
        }
        Ok(())
    }

    fn recognised(&self, path: PathBuf) -> Found {
        let name = path.file_name().and_then(|name| name.to_str());
        let stem = name.and_then(|name| name.strip_suffix(SUFFIX));
        let hash = stem.and_then(aux_nix::nix32::decode::<32>).map(Sha256);
        match hash.filter(|hash| self.path(*hash) == path) {
            Some(hash) => Found::Object(hash),
            None => Found::Foreign(path),
        }
    }

    pub(super) fn path(&self, nar_hash: Sha256) -> PathBuf {
        let name = nar_hash.nix32();
        let shard = name.get(..SHARD_CHARACTERS).unwrap_or_default();
        self.nars.join(shard).join(format!("{name}{SUFFIX}"))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now is removed at the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Incoming {
    /// Where it arrives, for errors.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_gone_and_what_is_kept_is_found_again() {
        let data = tempfile::tempdir().unwrap();
        let objects = Folder::open_at(&data.path().join("objects"), &data.path().join("incoming")).unwrap();
        drop(objects.arrive().unwrap());
        let hash = Sha256::of(b"nar");
        objects.keep(objects.arrive().unwrap(), hash).unwrap();
        File::create(data.path().join("incoming/7.part")).unwrap();
        let objects = Folder::open_at(&data.path().join("objects"), &data.path().join("incoming")).unwrap();
        assert_eq!(fs::read_dir(data.path().join("incoming")).unwrap().count(), 0);
        assert!(objects.has(hash));
        File::create(data.path().join("objects/stray")).unwrap();
        let mut found = Vec::new();
        objects.list(&mut |item| found.push(item)).unwrap();
        found.sort();
        assert_eq!(found, [Found::Object(hash), Found::Foreign(data.path().join("objects/stray"))]);
        objects.remove(hash).unwrap();
        objects.remove(hash).unwrap();
        assert!(!objects.has(hash));
    }
}
