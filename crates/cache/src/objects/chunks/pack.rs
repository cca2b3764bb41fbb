//! Packs of one server: files with chunks one behind the other, only ever appended to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use aux_core::limits::CACHE_PACK_BYTES;

use super::super::{ObjectError, classified, entries, sync_folder};

const SUFFIX: &str = ".pack";
const NAME_DIGITS: usize = 8;

/// The folder of packs.
#[derive(Debug)]
pub(crate) struct Growing {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u32,
    /// To be appended to, by whoever takes one.
    open: Vec<Pack>,
    /// Somebody appends to these.
    taken: BTreeSet<u32>,
    readers: BTreeMap<u32, Weak<File>>,
}

/// A pack that somebody appends to, until it is put back.
#[derive(Debug)]
pub(crate) struct Pack {
    pub number: u32,
    pub size: u64,
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Growing {
    /// Opens the folder, whose packs end where the index says: what was appended behind when the server ended is cut off, and
    /// packs that the index does not know are removed. `ends` has a pack's number and its end.
    pub(crate) fn open(folder: PathBuf, ends: &BTreeMap<u32, u64>) -> Result<Self, ObjectError> {
        let mut state = State::default();
        for path in entries(&folder)? {
            let Some(number) = path.file_name().and_then(|name| name.to_str()).and_then(number) else { continue };
            state.next = state.next.max(number.saturating_add(1));
            let Some(&end) = ends.get(&number) else {
                fs::remove_file(&path).map_err(|cause| classified(&path, cause))?;
                continue;
            };
            let file =
                OpenOptions::new().read(true).write(true).open(&path).map_err(|cause| classified(&path, cause))?;
            let length = file.metadata().map_err(|cause| classified(&path, cause))?.len();
            if length > end {
                file.set_len(end).map_err(|cause| classified(&path, cause))?;
            }
            // One that is too short is left alone; what is missing of it is told by whoever reads it.
            if length >= end && end < CACHE_PACK_BYTES {
                state.open.push(Pack { number, size: end, file, path });
            }
        }
        Ok(Self { folder, state: Mutex::new(state) })
    }

    /// Opens the folder for reading alone.
    pub(crate) fn open_to_read(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// A pack to append to, that nobody else appends to meanwhile.
    pub(crate) fn take(&self) -> Result<Pack, ObjectError> {
        let mut state = self.state();
        if let Some(pack) = state.open.pop() {
            state.taken.insert(pack.number);
            return Ok(pack);
        }
        let number = state.next;
        state.next = number.saturating_add(1);
        state.taken.insert(number);
        drop(state);
        let path = self.path(number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|cause| classified(&path, cause))?;
        sync_folder(&self.folder)?;
        Ok(Pack { number, size: 0, file, path })
    }

    pub(crate) fn put_back(&self, pack: Pack) {
        let mut state = self.state();
        state.taken.remove(&pack.number);
        if pack.size < CACHE_PACK_BYTES {
            state.open.push(pack);
        }
    }

    /// A pack to read from. One that is removed meanwhile can be read as long as somebody has it open.
    pub(crate) fn reader(&self, number: u32) -> Result<Arc<File>, ObjectError> {
        let mut state = self.state();
        if let Some(file) = state.readers.get(&number).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let path = self.path(number);
        let file = Arc::new(File::open(&path).map_err(|cause| classified(&path, cause))?);
        state.readers.retain(|_, file| file.strong_count() > 0);
        state.readers.insert(number, Arc::downgrade(&file));
        Ok(file)
    }

    /// Puts a pack back as it was before somebody appended to it in vain.
    pub(crate) fn take_back(&self, mut pack: Pack, end: u64) {
        // What cannot be cut off is never referred to, and cut off at the next start.
        if pack.file.set_len(end).is_ok() {
            pack.size = end;
            self.put_back(pack);
        } else {
            self.state().taken.remove(&pack.number);
        }
    }

    /// Those of some packs that nobody appends to now, and nobody will from now on.
    pub(crate) fn close(&self, wanted: &dyn Fn(u32) -> bool) -> Result<Vec<u32>, ObjectError> {
        let (sizes, _) = self.list()?;
        let mut state = self.state();
        let closed: Vec<u32> =
            sizes.into_keys().filter(|number| wanted(*number) && !state.taken.contains(number)).collect();
        state.open.retain(|pack| !closed.contains(&pack.number));
        Ok(closed)
    }

    pub(crate) fn remove(&self, number: u32) -> Result<(), ObjectError> {
        let path = self.path(number);
        fs::remove_file(&path).map_err(|cause| classified(&path, cause))
    }

    /// The bytes of every pack, and what else lies in the folder.
    pub(crate) fn list(&self) -> Result<Listed, ObjectError> {
        list(&self.folder)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(name(number))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pack {
    /// Where it begins in the pack.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<u64, ObjectError> {
        let position = self.size;
        self.file.write_all_at(bytes, position).map_err(|cause| classified(&self.path, cause))?;
        self.size += bytes.len() as u64;
        Ok(position)
    }

    /// Exactly so many bytes of what was appended.
    pub(super) fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(into, position)
    }

    /// All that was appended is on the disk when this returns.
    pub(crate) fn sync(&self) -> Result<(), ObjectError> {
        self.file.sync_data().map_err(|cause| classified(&self.path, cause))
    }
}

/// The bytes of packs by their numbers, and what is none.
pub(super) type Listed = (BTreeMap<u32, u64>, Vec<PathBuf>);

/// What lies in a folder of packs.
pub(super) fn list(folder: &Path) -> Result<Listed, ObjectError> {
    let (mut sizes, mut foreign) = (BTreeMap::new(), Vec::new());
    for path in entries(folder)? {
        match path.file_name().and_then(|name| name.to_str()).and_then(number) {
            Some(number) => {
                let size = fs::metadata(&path).map_err(|cause| classified(&path, cause))?.len();
                sizes.insert(number, size);
            }
            None => foreign.push(path),
        }
    }
    Ok((sizes, foreign))
}

/// What the file of a pack is called.
pub(crate) fn name(number: u32) -> String {
    format!("{number:0NAME_DIGITS$}{SUFFIX}")
}

/// The number of a pack by its file's name.
pub(crate) fn number(name: &str) -> Option<u32> {
    let stem = name.strip_suffix(SUFFIX)?;
    let is_number = stem.len() >= NAME_DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
    stem.parse().ok().filter(|_| is_number)
}
