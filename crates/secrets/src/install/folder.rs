//! The folder of generations: `current` leads to one of them, and is changed by a single rename.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aux_core::limits::SECRET_GENERATION_BYTES_MAX;
use aux_io::file::{self, FileError};

use super::state::State;
use crate::secret::SecretBytes;

const CURRENT: &str = "current";
const NEXT: &str = ".current.next";
const LOCK: &str = ".lock";
/// No name of a secret begins with a dot.
const STATE: &str = ".state.json";
const PREFIX: &str = "generation-";
/// Others may go through to a file that is theirs, and see no names.
const FOLDER_MODE: u32 = 0o711;
/// statfs(2): file systems that lie in memory.
const IN_MEMORY: [rustix::fs::FsWord; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder that takes no generation. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{}: cannot be written: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{}: {why}", path.display())]
    Untrusted { path: PathBuf, why: &'static str },
    #[error("{}: lies on a disk, where values in the clear would stay", path.display())]
    Disk { path: PathBuf },
    #[error("{}: is no link to a generation; something else made it", path.display())]
    Current { path: PathBuf },
    #[error("{}: another process is installing here", path.display())]
    Locked { path: PathBuf },
    #[error("{0}")]
    File(#[from] FileError),
}

/// Where an installation is; told just after it got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many files are in the new generation.
    Written(usize),
    /// The new generation is whole, and `current` leads to the one before.
    Whole,
    /// `current` leads to the new one.
    Switched,
    /// The one before is gone.
    Done,
}

/// One file of a generation.
pub(super) struct File {
    pub(super) name: String,
    pub(super) value: SecretBytes,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

/// The generation before.
pub(super) enum Before {
    Nothing,
    /// There is one, and it does not say what is in it.
    Unknown,
    Known(State),
}

/// A folder that nobody else is changing.
pub(super) struct Folder {
    path: PathBuf,
    /// The generation that `current` leads to.
    current: Option<String>,
    _lock: file::Lock,
}

impl Folder {
    /// The folder, made where it is not there, without what an interrupted installation left.
    pub(super) fn open(path: &Path, accept_disk: bool) -> Result<Self, FolderError> {
        let failed = |cause| FolderError::Write { path: path.to_path_buf(), cause };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(failed)?;
        trust(path)?;
        let system = rustix::fs::statfs(path).map_err(|errno| failed(errno.into()))?;
        if !accept_disk && !IN_MEMORY.contains(&system.f_type) {
            return Err(FolderError::Disk { path: path.to_path_buf() });
        }
        let lock = lock(path)?;
        let folder = Self { path: path.to_path_buf(), current: current(path)?, _lock: lock };
        folder.sweep().map_err(failed)?;
        Ok(folder)
    }

    /// What the generation in place says of itself.
    pub(super) fn before(&self) -> Before {
        let Some(name) = &self.current else { return Before::Nothing };
        read_state(&self.path.join(name).join(STATE)).map_or(Before::Unknown, Before::Known)
    }

    /// Writes a generation beside, lets `current` lead to it, and removes the one before.
    pub(super) fn replace(
        mut self,
        files: &[File],
        state: &State,
        reached: &mut dyn FnMut(Step),
    ) -> Result<PathBuf, FolderError> {
        let number = self.current.as_deref().and_then(number).unwrap_or(0).saturating_add(1);
        let name = format!("{PREFIX}{number}");
        let generation = self.path.join(&name);
        let written = write(&generation, files, state, reached).and_then(|()| {
            reached(Step::Whole);
            let next = self.path.join(NEXT);
            std::os::unix::fs::symlink(&name, &next)?;
            fs::rename(&next, self.path.join(CURRENT))
        });
        if let Err(cause) = written {
            // The write failed already; what cannot be removed now is removed by the next one.
            self.sweep().ok();
            return Err(FolderError::Write { path: generation, cause });
        }
        reached(Step::Switched);
        self.current = Some(name);
        self.sweep().map_err(|cause| FolderError::Write { path: self.path.clone(), cause })?;
        reached(Step::Done);
        Ok(generation)
    }

    /// Removes whatever `current` does not lead to.
    fn sweep(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(NEXT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if number(&name).is_some() && self.current.as_ref() != Some(&name) && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn write(to: &Path, files: &[File], state: &State, reached: &mut dyn FnMut(Step)) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(to)?;
    // The process's mask may have taken bits away.
    fs::set_permissions(to, Permissions::from_mode(FOLDER_MODE))?;
    let is_root = rustix::process::geteuid().is_root();
    for (index, one) in files.iter().enumerate() {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(&one.name))?;
        file.write_all(one.value.reveal())?;
        if is_root {
            std::os::unix::fs::fchown(&file, Some(one.user), Some(one.group))?;
        }
        // Last, because a change of owner takes bits away.
        file.set_permissions(Permissions::from_mode(one.mode))?;
        reached(Step::Written(index + 1));
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(STATE))?;
    file.write_all(state.to_text().as_bytes())
}

/// Writes down that units which were to be restarted have been.
pub fn has_restarted(folder: &Path) -> Result<(), FolderError> {
    let _lock = lock(folder)?;
    let path = folder.join(CURRENT).join(STATE);
    if let Some(mut state) = read_state(&path) {
        state.pending.clear();
        file::replace(&path, state.to_text().as_bytes())?;
    }
    Ok(())
}

/// The folder for oneself. Whoever can open a file can lock it, so nobody else can open this one.
fn lock(folder: &Path) -> Result<file::Lock, FolderError> {
    let path = folder.join(LOCK);
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    made.map_err(|cause| FolderError::Write { path: path.clone(), cause })?;
    file::lock(&path)?.ok_or_else(|| FolderError::Locked { path: folder.to_path_buf() })
}

fn read_state(path: &Path) -> Option<State> {
    let limit = u64::try_from(SECRET_GENERATION_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(limit).read_to_end(&mut text).ok()?;
    State::read(&text)
}

/// Who can change the folder can put other files where secrets are expected.
fn trust(path: &Path) -> Result<(), FolderError> {
    let untrusted = |why| Err(FolderError::Untrusted { path: path.to_path_buf(), why });
    let metadata =
        fs::symlink_metadata(path).map_err(|cause| FolderError::Write { path: path.to_path_buf(), cause })?;
    if !metadata.is_dir() {
        return untrusted("is a link, and must be a folder");
    }
    if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
        return untrusted("belongs to another user, who could put other files there");
    }
    if metadata.mode() & 0o022 != 0 {
        return untrusted("others may write there; chmod go-w");
    }
    Ok(())
}

fn current(folder: &Path) -> Result<Option<String>, FolderError> {
    let path = folder.join(CURRENT);
    match fs::read_link(&path) {
        Ok(target) => {
            let name = target.to_str().filter(|name| number(name).is_some()).map(str::to_owned);
            name.map(Some).ok_or(FolderError::Current { path })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(FolderError::Current { path }),
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}
