//! A revision laid out as files in a folder, for a program that wants files; and a work tree copied for the same.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aux_core::limits::{REPOSITORY_BYTES_MAX, REPOSITORY_FILE_BYTES_MAX};

use crate::target::is_inside;
use crate::tree::leads_inside;
use crate::{EntryKind, GitError, Repository, Revision, TreeError};

/// What was laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    pub files: usize,
    /// Paths of submodules, which stay empty folders as they do for `nix`.
    pub submodules: Vec<String>,
}

/// Why files could not be laid out. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{0}")]
    Tree(#[from] TreeError),
    #[error("cannot be laid out: {0}")]
    Git(GitError),
    #[error("`{link}` is a link to `{destination}`, outside of the repository, and is refused")]
    Link { link: String, destination: String },
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
}

impl Repository {
    /// Lays the files of a revision out in `folder`, which must not be there yet. On an error nothing stays.
    ///
    /// No filter or hook runs. A link that leads out of the folder is refused.
    pub fn lay_out(&self, revision: &Revision, folder: &Path) -> Result<Laid, LayoutError> {
        let entries = self.list(revision)?;
        fs::create_dir(folder).map_err(|cause| LayoutError::File { path: folder.to_owned(), cause })?;
        let laid: Result<(), LayoutError> = self.check_out(revision, folder).and_then(|()| {
            let mut links = entries.iter().filter(|entry| entry.kind == EntryKind::Link);
            links.try_for_each(|entry| check_link(folder, &entry.path))
        });
        if let Err(error) = laid {
            // The error that brought us here says more than one about the rest of the folder.
            fs::remove_dir_all(folder).ok();
            return Err(error);
        }
        let submodules = entries.iter().filter(|entry| entry.kind == EntryKind::Submodule);
        let submodules: Vec<String> = submodules.map(|entry| entry.path.clone()).collect();
        Ok(Laid { files: entries.len() - submodules.len(), submodules })
    }

    fn check_out(&self, revision: &Revision, folder: &Path) -> Result<(), LayoutError> {
        // An index of its own: the cache's stays as it is, and two layouts do not meet.
        let index = folder.with_extension("index");
        let git = self.git.variable("GIT_INDEX_FILE", &index).variable("GIT_WORK_TREE", folder);
        let repository = Self { git, folder: self.folder.clone() };
        let outcome = repository
            .run(["read-tree", revision.as_str()].map(OsStr::new))
            .and_then(|_| repository.run(["checkout-index", "--all", "--quiet"].map(OsStr::new)));
        fs::remove_file(&index).ok();
        outcome.map(drop).map_err(LayoutError::Git)
    }
}

fn check_link(root: &Path, link: &str) -> Result<(), LayoutError> {
    let path = root.join(link);
    let destination = fs::read_link(&path).map_err(|cause| LayoutError::File { path, cause })?;
    if leads_inside(link, &destination) {
        return Ok(());
    }
    Err(LayoutError::Link { link: link.to_owned(), destination: destination.display().to_string() })
}

/// Copies files and links of a work tree, by their paths in it, to `folder`, which must not be there yet.
///
/// A file that is gone is left out, as git would have it; one below a folder that is a link is refused.
pub(crate) fn copy(root: &Path, paths: &[String], folder: &Path) -> Result<Laid, LayoutError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| LayoutError::File { path, cause }
    };
    let root = root.canonicalize().map_err(failed(root))?;
    fs::create_dir(folder).map_err(failed(folder))?;
    let mut laid = Laid { files: 0, submodules: Vec::new() };
    let mut total_bytes = 0_u64;
    for path in paths {
        if !is_inside(path) {
            return Err(TreeError::Outside(path.clone()).into());
        }
        let (from, to) = (root.join(path), folder.join(path));
        let Ok(metadata) = from.symlink_metadata() else { continue };
        let parent = from.parent().and_then(|parent| parent.canonicalize().ok());
        if parent.is_none_or(|parent| !parent.starts_with(&root)) {
            return Err(TreeError::Outside(path.clone()).into());
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        if metadata.is_symlink() {
            check_link(&root, path)?;
            let destination = fs::read_link(&from).map_err(failed(&from))?;
            std::os::unix::fs::symlink(destination, &to).map_err(failed(&to))?;
        } else if metadata.is_file() {
            if metadata.len() > REPOSITORY_FILE_BYTES_MAX {
                return Err(TreeError::FileSize { path: path.clone(), size_bytes: metadata.len() }.into());
            }
            total_bytes = total_bytes.saturating_add(metadata.len());
            if total_bytes > REPOSITORY_BYTES_MAX {
                return Err(TreeError::Bytes.into());
            }
            fs::copy(&from, &to).map_err(failed(&from))?;
        } else {
            laid.submodules.push(path.clone());
            continue;
        }
        laid.files += 1;
    }
    Ok(laid)
}
