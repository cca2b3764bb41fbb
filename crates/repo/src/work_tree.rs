//! A folder on this machine as a repository: which revisions it has, and which files belong to it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use aux_core::limits::{FOLDER_DEPTH_MAX, REPOSITORY_FILES_MAX, REPOSITORY_NAME_BYTES_MAX};

use crate::layout::copy;
use crate::{Git, GitError, Laid, LayoutError, Revision, TreeError};

/// A folder with the files of a project, under git or not.
#[derive(Debug, Clone)]
pub struct WorkTree {
    pub(crate) git: Git,
    /// The root: where `.git` lies, or the folder itself.
    root: PathBuf,
    /// From the root to the folder that was named; empty where they are one.
    inside: PathBuf,
    is_git: bool,
}

impl WorkTree {
    /// The work tree that a folder stands in.
    pub fn containing(git: &Git, folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let root = folder.ancestors().find(|above| above.join(".git").exists());
        let is_git = root.is_some();
        let root = root.unwrap_or(&folder).to_owned();
        let inside = folder.strip_prefix(&root).map(Path::to_owned).unwrap_or_default();
        Self { git: git.clone(), root, inside, is_git }
    }

    /// A folder whose files count whether git knows them or not.
    pub fn plain(git: &Git, folder: &Path) -> Self {
        let root = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self { git: git.clone(), root, inside: PathBuf::new(), is_git: false }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// From the root to the folder that was named; empty where they are one.
    pub fn inside(&self) -> &Path {
        &self.inside
    }

    pub fn is_git(&self) -> bool {
        self.is_git
    }

    /// The commit that a word names: a branch, a tag, an abbreviation, `HEAD~1`.
    pub fn resolve(&self, word: &str) -> Result<Revision, GitError> {
        let is_sound = !word.is_empty() && !word.starts_with('-') && !word.contains(char::is_control);
        if !is_sound || word.len() > REPOSITORY_NAME_BYTES_MAX {
            return Err(GitError::Failed { complaint: format!("`{word}` is no name of a revision") });
        }
        let commit = format!("{word}^{{commit}}");
        let wrong = || GitError::Failed { complaint: format!("`{word}` names no revision") };
        let output = self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        let output = output.map_err(|error| match error {
            // Asked to be quiet, it says nothing where there is no such thing.
            GitError::Failed { .. } => wrong(),
            other => other,
        })?;
        let text = String::from_utf8_lossy(&output);
        Revision::parse(text.trim()).ok_or_else(wrong)
    }

    /// Copies what belongs to it, as it is on disk now, to `folder`: what git tracks, or every file where there is no git.
    pub fn copy_to(&self, folder: &Path) -> Result<Laid, LayoutError> {
        let paths = if self.is_git { self.tracked()? } else { self.every_file()? };
        copy(&self.root, &paths, folder)
    }

    fn tracked(&self) -> Result<Vec<String>, LayoutError> {
        let listing = self.run(["ls-files", "-z", "--cached"]).map_err(LayoutError::Git)?;
        let names = listing.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut paths = Vec::new();
        for name in names {
            let lossy = || TreeError::Outside(String::from_utf8_lossy(name).into_owned());
            paths.push(std::str::from_utf8(name).map_err(|_| lossy())?.to_owned());
        }
        paths.dedup();
        if paths.len() > REPOSITORY_FILES_MAX { Err(TreeError::Files.into()) } else { Ok(paths) }
    }

    pub(crate) fn every_file(&self) -> Result<Vec<String>, LayoutError> {
        let mut paths = Vec::new();
        let mut queue = vec![(self.root.clone(), 0)];
        while let Some((folder, depth)) = queue.pop() {
            let failed = |cause| LayoutError::File { path: folder.clone(), cause };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
                if is_folder && path.file_name().is_some_and(|name| name == ".git") {
                    continue;
                }
                if is_folder && depth < FOLDER_DEPTH_MAX {
                    queue.push((path, depth + 1));
                } else if !is_folder {
                    let inside = path.strip_prefix(&self.root).unwrap_or(&path);
                    let lossy = || TreeError::Outside(inside.display().to_string());
                    paths.push(inside.to_str().ok_or_else(lossy)?.to_owned());
                }
                if paths.len() > REPOSITORY_FILES_MAX {
                    return Err(TreeError::Files.into());
                }
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    /// Git refuses folders of other owners. The user named this one, and no hook, filter or helper of it is run.
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Result<Vec<u8>, GitError> {
        let place = [OsStr::new("-c"), OsStr::new("safe.directory=*"), OsStr::new("-C"), self.root.as_os_str()];
        self.git.run(place.into_iter().chain(arguments.map(OsStr::new)))
    }
}
