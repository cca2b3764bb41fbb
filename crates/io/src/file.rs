//! Files written whole or not at all, and files read in place.

use aux_core::limits::INDEX_BYTES_MAX;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A file that could not be written or mapped. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be written: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{}: no such file", path.display())]
    Missing { path: PathBuf },
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{}: is not a regular file", path.display())]
    Irregular { path: PathBuf },
    #[error("{}: is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{}: {bytes} bytes, more than the {limit_bytes} allowed (INDEX_BYTES_MAX)", path.display())]
    TooLarge { path: PathBuf, bytes: u64, limit_bytes: u64 },
}

/// Attempts at a free temporary name; more than a few means somebody squats them on purpose.
const TEMPORARY_NAMES_MAX: u32 = 64;

/// Puts `bytes` at `path` in one step: a reader sees the old file or the new one, also after a crash.
///
/// The bytes go to a temporary file in the same folder, reach the disk, and are renamed over `path`. A symbolic link
/// at `path` is followed, so that the file it names is replaced and the link stays.
pub fn replace(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
    let path = path.as_ref();
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let failed = |cause| FileError::Write { path: path.to_path_buf(), cause };
    if target.exists() && !target.is_file() {
        return Err(FileError::Irregular { path: path.to_path_buf() });
    }
    let (temporary, file) = create_beside(&target).map_err(failed)?;
    let written = write_and_rename(file, &temporary, &target, bytes);
    if written.is_err() {
        // The write already failed; a leftover that cannot be removed changes nothing for the caller.
        drop(fs::remove_file(&temporary));
    }
    written.map_err(failed)
}

/// Removes what [`replace`] left in a folder where its process was killed. Only for who holds the folder's lock, because
/// a file that is being written looks the same.
pub fn sweep(folder: impl AsRef<Path>) {
    let is_left = |name: &str| {
        let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
        let numbers = inner.and_then(|inner| inner.rsplit_once('.')).and_then(|(_, end)| end.split_once('-'));
        numbers.is_some_and(|(process, attempt)| process.parse::<u32>().is_ok() && attempt.parse::<u32>().is_ok())
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // What cannot be removed is in nobody's way.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Puts `bytes` in a new file that only its owner may read; refuses one that exists.
pub fn create_private(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FileError> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = path.as_ref();
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|cause| FileError::Write { path: path.to_path_buf(), cause })
}

/// Makes a folder, and those above it, that only its owner may enter; one that exists stays as it is.
pub fn create_private_folder(path: impl AsRef<Path>) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt;
    let path = path.as_ref();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| FileError::Write { path: path.to_path_buf(), cause })
}

/// A lock that ends with the process that holds it, or when it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Takes a lock at `path`, making the file; `None` where another process has it.
pub fn lock(path: impl AsRef<Path>) -> Result<Option<Lock>, FileError> {
    let path = path.as_ref();
    let failed = |cause| FileError::Write { path: path.to_path_buf(), cause };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    taken(file.try_lock(), file, failed)
}

/// The same together with others who take it so; `None` where another process has it alone.
pub fn lock_with_others(path: impl AsRef<Path>) -> Result<Option<Lock>, FileError> {
    let path = path.as_ref();
    let failed = |cause| FileError::Write { path: path.to_path_buf(), cause };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    taken(file.try_lock_shared(), file, failed)
}

fn taken(
    tried: Result<(), fs::TryLockError>,
    file: File,
    failed: impl Fn(io::Error) -> FileError,
) -> Result<Option<Lock>, FileError> {
    match tried {
        Ok(()) => Ok(Some(Lock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

fn write_and_rename(mut file: File, temporary: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Ok(metadata) = fs::metadata(target) {
        file.set_permissions(metadata.permissions())?;
    }
    file.sync_all()?;
    fs::rename(temporary, target)?;
    // Without this the new name can be lost in a power failure although its bytes are safe.
    File::open(folder_of(target))?.sync_all()
}

/// A new file beside `target`, opened so that an existing file or link is never written through.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let process = std::process::id();
    for attempt in 0..TEMPORARY_NAMES_MAX {
        let temporary = folder_of(target).join(format!(".{name}.{process}-{attempt}.part"));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file's bytes, read from disk only where they are looked at.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Maps a regular file of at most [`INDEX_BYTES_MAX`] bytes into memory.
pub fn map(path: impl AsRef<Path>) -> Result<Mapped, FileError> {
    let path = path.as_ref().to_path_buf();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(FileError::Missing { path }),
        Err(cause) => return Err(FileError::Read { path, cause }),
    };
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(cause) => return Err(FileError::Read { path, cause }),
    };
    if !metadata.is_file() {
        return Err(FileError::Irregular { path });
    }
    match metadata.len() {
        0 => return Err(FileError::Empty { path }),
        bytes if bytes > INDEX_BYTES_MAX => {
            return Err(FileError::TooLarge { path, bytes, limit_bytes: INDEX_BYTES_MAX });
        }
        _ => {}
    }
    map_file(&file).map(Mapped).map_err(|cause| FileError::Read { path, cause })
}

#[expect(unsafe_code, reason = "mapping is unsafe because another process could change the file under us")]
fn map_file(file: &File) -> io::Result<memmap2::Mmap> {
    // SAFETY: indexes are replaced by renaming (see `replace`), never changed in place, so the mapped bytes stay. A
    // file truncated by somebody else ends the process with SIGBUS; it cannot make it misread.
    unsafe { memmap2::Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_write_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (_left, _file) = create_beside(&folder.path().join("state.json")).unwrap();
        for kept in [".state.json", "state.json", ".part", ".a.1-x.part", "a.1-2.part"] {
            replace(folder.path().join(kept), b"").unwrap();
        }
        sweep(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        sweep(folder.path().join("none"));
    }

    #[test]
    fn a_link_stays_a_link_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        replace(&real, b"one").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"two");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_is_never_replaced_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(replace(folder.path(), b""), Err(FileError::Irregular { .. })));
        let error = replace(folder.path().join("none/file"), b"").unwrap_err().to_string();
        assert!(error.contains("none/file: cannot be written"), "{error}");
    }

    #[test]
    fn a_mapped_file_gives_its_bytes_and_an_empty_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        replace(&path, b"bytes").unwrap();
        assert_eq!(&*map(&path).unwrap(), b"bytes");
        replace(&path, b"").unwrap();
        assert!(matches!(map(&path), Err(FileError::Empty { .. })));
        assert!(matches!(map(folder.path()), Err(FileError::Irregular { .. })));
        assert!(matches!(map(folder.path().join("none")), Err(FileError::Missing { .. })));
    }
}
