//! A running system's files below one folder: `/`, or where a disk is mounted. Links stay inside it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use aux_core::limits::{LINKS_FOLLOWED_MAX, SYSTEM_ENTRIES_MAX, SYSTEM_FILE_BYTES_MAX};

/// The folder that stands for `/`.
#[derive(Debug, Clone)]
pub(super) struct SystemRoot(PathBuf);

/// Why a file gives no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is none of that name.
    Absent,
    /// It is there and cannot be read, with the reason and what to do.
    Hidden(String),
}

impl SystemRoot {
    pub(super) fn new(root: &Path) -> Self {
        Self(root.to_path_buf())
    }

    /// Where a path leads, with every link on the way followed as if the root were `/`.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, Unread> {
        let mut rest: VecDeque<OsString> = names(Path::new(path)).collect();
        let mut real: Vec<OsString> = Vec::new();
        let mut followed = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                real.pop();
                continue;
            }
            let candidate = self.outside(&real).join(&name);
            let metadata = candidate.symlink_metadata().map_err(|error| unread(path, &error))?;
            if !metadata.is_symlink() {
                real.push(name);
                continue;
            }
            followed += 1;
            if followed > LINKS_FOLLOWED_MAX {
                return Err(Unread::Hidden(format!("{path} leads through too many links (LINKS_FOLLOWED_MAX)")));
            }
            let target = fs::read_link(&candidate).map_err(|error| unread(path, &error))?;
            if target.is_absolute() {
                real.clear();
            }
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                rest.push_front(name);
            }
        }
        Ok(self.outside(&real))
    }

    fn outside(&self, names: &[OsString]) -> PathBuf {
        let mut path = self.0.clone();
        path.extend(names);
        path
    }

    pub(super) fn metadata(&self, path: &str) -> Result<Metadata, Unread> {
        self.resolve(path)?.symlink_metadata().map_err(|error| unread(path, &error))
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.metadata(path).is_ok()
    }

    /// A regular file's bytes, at most so many; a pipe or device is never opened.
    pub(super) fn start(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>, Unread> {
        let real = self.resolve(path)?;
        let metadata = real.symlink_metadata().map_err(|error| unread(path, &error))?;
        if !metadata.is_file() {
            return Err(Unread::Hidden(format!("{path} is no regular file")));
        }
        let mut bytes = Vec::new();
        let file = File::open(&real).map_err(|error| unread(path, &error))?;
        file.take(limit_bytes).read_to_end(&mut bytes).map_err(|error| unread(path, &error))?;
        Ok(bytes)
    }

    /// A whole file of text.
    pub(super) fn text(&self, path: &str) -> Result<String, Unread> {
        let bytes = self.start(path, SYSTEM_FILE_BYTES_MAX + 1)?;
        if bytes.len() as u64 > SYSTEM_FILE_BYTES_MAX {
            return Err(Unread::Hidden(format!(
                "{path} is larger than {SYSTEM_FILE_BYTES_MAX} bytes (SYSTEM_FILE_BYTES_MAX)"
            )));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a folder, sorted.
    pub(super) fn entries(&self, path: &str) -> Result<Vec<String>, Unread> {
        let real = self.resolve(path)?;
        let entries = fs::read_dir(real).map_err(|error| unread(path, &error))?;
        let named = entries.take(SYSTEM_ENTRIES_MAX).filter_map(Result::ok);
        let mut names: Vec<String> = named.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn unread(path: &str, error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unread::Absent,
        io::ErrorKind::PermissionDenied => Unread::Hidden(format!("{path} may not be read by this user; root may")),
        _ => Unread::Hidden(format!("{path} cannot be read: {error}")),
    }
}

impl Unread {
    /// The reason, for something that should be there.
    pub(super) fn why(&self, path: &str) -> String {
        match self {
            Self::Absent => format!("there is no {path}"),
            Self::Hidden(why) => why.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("etc")).unwrap();
        fs::create_dir_all(at.join("nix/store/x-etc")).unwrap();
        aux_io::file::replace(at.join("nix/store/x-etc/file"), b"text").unwrap();
        symlink("/nix/store/x-etc", at.join("etc/static")).unwrap();
        symlink("/etc/static/file", at.join("etc/file")).unwrap();
        symlink("../../../../etc/file", at.join("etc/up")).unwrap();
        symlink("loop", at.join("etc/loop")).unwrap();
        let root = SystemRoot::new(at);
        for path in ["/etc/file", "/etc/up", "/etc/static/file"] {
            assert_eq!(root.text(path).as_deref(), Ok("text"), "{path}");
        }
        assert!(matches!(root.text("/etc/loop"), Err(Unread::Hidden(_))));
        assert_eq!(root.text("/etc/passwd"), Err(Unread::Absent), "the real one is outside");
        assert!(matches!(root.text("/etc"), Err(Unread::Hidden(_))));
    }
}
