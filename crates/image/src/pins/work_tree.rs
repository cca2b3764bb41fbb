//! A repository on disk, as it is now, told its pins.

use std::collections::BTreeMap;

use aux_core::Problem;
use aux_core::limits::IMAGE_PIN_FILE_BYTES_MAX;
use aux_repo::{ChangeError, Tracked, WorkTree};

use super::{Pins, Repository, Snapshot, find};

/// Reads the pins of a folder's tracked files; of every file where there is no git.
///
/// What cannot be read is a problem of the repository, never an error.
pub fn read(path: &str, tree: &WorkTree, system: &str) -> Repository {
    let inside = tree.inside().to_string_lossy().into_owned();
    let prefix = if inside.is_empty() { inside } else { inside + "/" };
    let pins = match tree.tracked_files() {
        Ok(tracked) => {
            let files: Vec<String> = below(tracked.files.keys(), &prefix).collect();
            let submodules = submodules(&tracked, &prefix);
            let read = |path: &str| {
                let bytes = tree.read_file(&format!("{prefix}{path}"), IMAGE_PIN_FILE_BYTES_MAX);
                bytes.map_err(|error: ChangeError| error.to_string())
            };
            find(&Snapshot { files: &files, submodules: &submodules, read: &read }, system)
        }
        Err(error) => {
            let problem = Problem { subject: path.to_owned(), message: error.to_string() };
            Pins { problems: vec![problem], ..Pins::default() }
        }
    };
    Repository { path: path.to_owned(), pins }
}

fn below<'p>(paths: impl Iterator<Item = &'p String>, prefix: &str) -> impl Iterator<Item = String> {
    paths.filter_map(move |path| path.strip_prefix(prefix).map(str::to_owned))
}

fn submodules(tracked: &Tracked, prefix: &str) -> BTreeMap<String, String> {
    let stripped =
        |(path, revision): (&String, &String)| Some((path.strip_prefix(prefix)?.to_owned(), revision.clone()));
    tracked.submodules.iter().filter_map(stripped).collect()
}
