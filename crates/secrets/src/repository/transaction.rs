//! Many files changed as one. New files are written beside, a record that names them all decides, and then they are put in
//! place; the manifest goes last. A process that is killed before the record leaves the old state, one killed after it the new.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aux_core::limits::SECRET_MANIFEST_BYTES_MAX;
use aux_io::file;
use serde::{Deserialize, Serialize};

use super::{MANIFEST, RepositoryError, SIGNATURE};

const FOLDER: &str = ".aux-secrets.next";
const RECORD: &str = "decided.json";
const LOCK: &str = ".aux-secrets.lock";
const SCHEMA: &str = "aux.secrets-write/1";

/// One file's new content; none, where it goes away.
pub struct Change {
    pub path: String,
    pub content: Option<Vec<u8>>,
}

impl Change {
    pub fn write(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: Some(content.into()) }
    }

    pub fn remove(path: impl Into<String>) -> Self {
        Self { path: path.into(), content: None }
    }
}

/// Where a write is; told just after it got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many files stand beside.
    Beside(usize),
    /// The record is on disk: from here on, the new state is the state.
    Decided,
    /// So many files are in place.
    InPlace(usize),
    Done,
}

/// What was decided: path below the folder, and the name beside; none, where the path goes away.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema: String,
    files: BTreeMap<String, Option<String>>,
}

impl Record {
    /// Where the new content of a path lies.
    pub(super) fn place(&self, folder: &Path, path: &str) -> Option<PathBuf> {
        let name = self.files.get(path)?.as_ref()?;
        Some(folder.join(FOLDER).join(name))
    }

    /// Whether a path goes away.
    pub(super) fn removes(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(Option::is_none)
    }

    /// Names that could lead out of the folder were not written by this program.
    fn is_plain(&self) -> bool {
        let is_inside = |path: &str| path.split('/').all(|name| !name.is_empty() && name != "." && name != "..");
        let is_number = |name: &String| name.bytes().all(|digit| digit.is_ascii_digit());
        self.schema == SCHEMA
            && self.files.keys().all(|path| is_inside(path))
            && self.files.values().flatten().all(is_number)
    }
}

/// What an interrupted write decided.
pub(super) fn pending(folder: &Path) -> Result<Option<Record>, RepositoryError> {
    let path = folder.join(FOLDER).join(RECORD);
    let Some(bytes) = super::read_bounded(&path, SECRET_MANIFEST_BYTES_MAX)? else { return Ok(None) };
    let broken = |cause: String| RepositoryError::Pending { path: folder.join(FOLDER), cause };
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    if record.is_plain() { Ok(Some(record)) } else { Err(broken("it names files outside".to_owned())) }
}

/// The only one who writes in a folder.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    _lock: file::Lock,
}

impl Writer {
    pub(super) fn new(folder: &Path) -> Result<Self, RepositoryError> {
        let lock =
            file::lock(folder.join(LOCK))?.ok_or_else(|| RepositoryError::Locked { folder: folder.to_path_buf() })?;
        let writer = Self { folder: folder.to_path_buf(), _lock: lock };
        match pending(folder)? {
            Some(record) => writer.put_in_place(&record, &mut |_| {})?,
            None => writer.sweep()?,
        }
        Ok(writer)
    }

    /// Changes all these files as one. `reached` hears of each step.
    pub fn commit(&self, changes: Vec<Change>, reached: &mut dyn FnMut(Step)) -> Result<(), RepositoryError> {
        let beside = self.folder.join(FOLDER);
        fs::create_dir_all(&beside).map_err(|cause| write_error(&beside, cause))?;
        let mut files = BTreeMap::new();
        for (index, change) in changes.into_iter().enumerate() {
            let name = change.content.is_some().then(|| index.to_string());
            if let (Some(name), Some(content)) = (&name, change.content) {
                let path = beside.join(name);
                write_new(&path, &content).map_err(|cause| write_error(&path, cause))?;
            }
            files.insert(change.path, name);
            reached(Step::Beside(index + 1));
        }
        // One wait for the disk, however many files there are.
        sync(&beside)?;
        let record = Record { schema: SCHEMA.to_owned(), files };
        let text = serde_json::to_vec(&record).map_err(|error| write_error(&beside, error.into()))?;
        file::replace(beside.join(RECORD), &text)?;
        reached(Step::Decided);
        self.put_in_place(&record, reached)
    }

    /// Can be done again where it was interrupted: what is in place already is no longer beside.
    fn put_in_place(&self, record: &Record, reached: &mut dyn FnMut(Step)) -> Result<(), RepositoryError> {
        let last = |path: &str| match path {
            MANIFEST => 2,
            // It holds the old manifest's signature too, so it fits whichever of both is there.
            SIGNATURE => 1,
            _ => 0,
        };
        let mut files: Vec<_> = record.files.iter().collect();
        files.sort_by_key(|(path, _)| last(path));
        for (index, (path, name)) in files.into_iter().enumerate() {
            let target = self.folder.join(path);
            let failed = |cause| write_error(&target, cause);
            if let Some(name) = name {
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent).map_err(failed)?;
                }
                gone_is_fine(fs::rename(self.folder.join(FOLDER).join(name), &target)).map_err(failed)?;
            } else {
                gone_is_fine(fs::remove_file(&target)).map_err(failed)?;
                // A folder that has become empty is nobody's; one that has not stays.
                target.parent().map(fs::remove_dir);
            }
            reached(Step::InPlace(index + 1));
        }
        sync(&self.folder)?;
        self.sweep()?;
        reached(Step::Done);
        Ok(())
    }

    fn sweep(&self) -> Result<(), RepositoryError> {
        let beside = self.folder.join(FOLDER);
        // Without its record first, a half-removed folder decides nothing.
        gone_is_fine(fs::remove_file(beside.join(RECORD))).map_err(|cause| write_error(&beside, cause))?;
        gone_is_fine(fs::remove_dir_all(&beside)).map_err(|cause| write_error(&beside, cause))
    }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    use io::Write as _;
    fs::File::create(path)?.write_all(content)
}

fn write_error(path: &Path, cause: io::Error) -> RepositoryError {
    RepositoryError::Write { path: path.to_path_buf(), cause }
}

/// Everything of this file system reaches the disk.
fn sync(folder: &Path) -> Result<(), RepositoryError> {
    let opened = fs::File::open(folder).map_err(|cause| write_error(folder, cause))?;
    rustix::fs::syncfs(&opened).map_err(|cause| write_error(folder, cause.into()))
}

#[cfg(test)]
mod tests {
    use super::super::Repository;
    use super::*;

    fn files(folder: &Path) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let repository = Repository::open(folder, None).unwrap();
        (repository.read("a/one", 9).unwrap(), repository.read("two", 9).unwrap())
    }

    #[test]
    fn wherever_it_is_interrupted_the_state_is_the_old_or_the_new_one() {
        let steps =
            [Step::Beside(1), Step::Beside(3), Step::Decided, Step::InPlace(1), Step::InPlace(2), Step::InPlace(3)];
        for stop in steps {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            file::replace(path.join("aux-secrets.toml"), b"").unwrap();
            let first = vec![Change::write("a/one", *b"1"), Change::write("two", *b"1")];
            Writer::new(path).unwrap().commit(first, &mut |_| {}).unwrap();
            let next = vec![Change::write("a/one", *b"2"), Change::remove("two"), Change::write("three", *b"3")];
            let interrupted = std::panic::catch_unwind(|| {
                Writer::new(path).unwrap().commit(next, &mut |step| assert_ne!(step, stop, "stopped here"))
            });
            assert!(interrupted.is_err(), "{stop:?}");
            let old = (Some(b"1".to_vec()), Some(b"1".to_vec()));
            let new = (Some(b"2".to_vec()), None);
            let meant = if matches!(stop, Step::Beside(_)) { old } else { new };
            assert_eq!(files(path), meant, "{stop:?}");
            drop(Writer::new(path).unwrap());
            assert_eq!(files(path), meant, "{stop:?}");
            assert!(!path.join(FOLDER).exists());
        }
    }

    #[test]
    fn a_record_that_leads_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        for path in ["../x", "/etc/passwd", "a//b", "."] {
            let text = format!("{{\"schema\":\"{SCHEMA}\",\"files\":{{\"{path}\":\"1\"}}}}");
            file::replace(folder.path().join(FOLDER).join(RECORD), text.as_bytes()).unwrap();
            assert!(matches!(pending(folder.path()), Err(RepositoryError::Pending { .. })), "{path}");
        }
    }
}
