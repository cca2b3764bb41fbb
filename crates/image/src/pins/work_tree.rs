//! A repository on disk, as it is now, told its pins.

use std::path::Path;

use aux_core::Problem;
use aux_core::limits::IMAGE_PIN_FILE_BYTES_MAX;
use aux_repo::{ChangeError, Git, GitError, WorkTree};

use super::{Pins, Repository, Snapshot, find};

/// Reads the pins of a repository's tracked files; of every file where the folder is no repository of its own.
///
/// What cannot be read is a problem of the repository, never an error.
pub fn read(path: &str, git: &Git, system: &str) -> Repository {
    let tree = WorkTree::containing(git, Path::new(path));
    let is_own = tree.is_git() && tree.inside().as_os_str().is_empty();
    let tree = if is_own { tree } else { WorkTree::plain(git, Path::new(path)) };
    let mut notes = Vec::new();
    let (tree, tracked) = match tree.tracked_files() {
        // Without git all but the submodules can be read.
        Err(ChangeError::Git(GitError::Missing { .. })) => {
            let message = "git is not here, so its submodules were not read".to_owned();
            notes.push(Problem { subject: path.to_owned(), message });
            let plain = WorkTree::plain(git, Path::new(path));
            let tracked = plain.tracked_files();
            (plain, tracked)
        }
        tracked => (tree, tracked),
    };
    let mut pins = match tracked {
        Ok(tracked) => {
            let files: Vec<String> = tracked.files.keys().cloned().collect();
            let read = |path: &str| {
                let bytes = tree.read_file(path, IMAGE_PIN_FILE_BYTES_MAX);
                bytes.map_err(|error: ChangeError| error.to_string())
            };
            find(&Snapshot { files: &files, submodules: &tracked.submodules, read: &read }, system)
        }
        Err(error) => {
            let problem = Problem { subject: path.to_owned(), message: error.to_string() };
            Pins { problems: vec![problem], ..Pins::default() }
        }
    };
    pins.notes.extend(notes);
    Repository { path: path.to_owned(), pins }
}
