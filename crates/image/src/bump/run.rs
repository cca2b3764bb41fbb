//! The bump carried out: build tools first, then every other repository, each whole or not at all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::limits::IMAGE_PIN_FILE_BYTES_MAX;
use aux_io::file;
use aux_repo::{Change, ChangeError, Git, Head, Revision, Scratch, Tracked, WorkTree};

use super::edits::{Plan, Tools, plan};
use super::{Bumped, Goal, State, Step};
use crate::pins::{PinKind, Pins, Snapshot, find, tools};

/// Where changes go.
#[derive(Debug, Clone)]
pub enum Mode {
    /// A branch of each repository, under this name.
    Branch(String),
    /// A file for each repository in this folder.
    Patch(PathBuf),
    /// Nowhere: they are only told.
    Plan,
}

/// The system components are built on, whose branch of a condition counts.
const BUILD_SYSTEM: &str = "SunOS";
/// The map that tells whether build tools know an image.
const MAP: &str = "PKGSRC_MAP";

/// Bumps every repository; the answers stand in the order the repositories were named.
///
/// `scratch` is a folder for files of the moment. What went wrong in one repository stops that one.
pub fn bump(paths: &[PathBuf], goal: &Goal<'_>, mode: &Mode, git: &Git, scratch: &Path) -> Vec<Bumped> {
    let mut run = Run { goal, mode, scratch, tools: Vec::new(), patches: Vec::new() };
    let trees: Vec<WorkTree> = paths.iter().map(|path| WorkTree::containing(git, path)).collect();
    let mut answers: BTreeMap<usize, Bumped> = BTreeMap::new();
    let mut read: Vec<Option<Read>> = Vec::new();
    for (index, (path, tree)) in paths.iter().zip(&trees).enumerate() {
        let shown = path.display().to_string();
        match Read::of(tree) {
            Ok(one) => read.push(Some(one)),
            Err(state) => {
                read.push(None);
                answers.insert(index, Bumped { path: shown, state, edits: Vec::new(), notes: Vec::new() });
            }
        }
    }
    // Components may point at the build tools only when those know the image.
    for is_tools in [true, false] {
        for (index, tree) in trees.iter().enumerate() {
            let Some(one) = read.get(index).and_then(Option::as_ref).filter(|one| one.is_tools == is_tools) else {
                continue;
            };
            let shown = paths.get(index).map(|path| path.display().to_string()).unwrap_or_default();
            answers.insert(index, run.repository(shown, tree, one));
        }
    }
    answers.into_values().collect()
}

/// A repository as it was committed.
struct Read {
    head: Head,
    tracked: Tracked,
    pins: Pins,
    is_tools: bool,
}

impl Read {
    /// What stops a repository before anything is planned is its state.
    fn of(tree: &WorkTree) -> Result<Self, State> {
        let unread = |error: ChangeError| State::Unread { reason: error.to_string() };
        let stopped = |reason: &str| State::Stopped { reason: reason.to_owned() };
        if !tree.is_git() || !tree.inside().as_os_str().is_empty() {
            return Err(State::Unread { reason: "it is not the root of a git repository".to_owned() });
        }
        let head = tree.head().map_err(unread)?.ok_or_else(|| stopped("it has no commit yet"))?;
        if tree.is_changed().map_err(unread)? {
            return Err(stopped("it has changes that are not committed; commit or stash them"));
        }
        let tracked = tree.tracked_files().map_err(unread)?;
        let pins = snapshot(tree, &head.revision, &tracked, |snapshot| find(snapshot, BUILD_SYSTEM));
        if let Some(problem) = pins.problems.first() {
            return Err(State::Unread { reason: format!("{}: {}", problem.subject, problem.message) });
        }
        let is_tools = pins.pins.iter().any(|pin| pin.kind == PinKind::ToolsMap);
        Ok(Self { head, tracked, pins, is_tools })
    }
}

/// Hands over the files of a revision; each is read once.
fn snapshot<T>(tree: &WorkTree, revision: &Revision, tracked: &Tracked, with: impl FnOnce(&Snapshot<'_>) -> T) -> T {
    let files: Vec<String> = tracked.files.keys().cloned().collect();
    let known: RefCell<BTreeMap<String, Option<Vec<u8>>>> = RefCell::default();
    let read = |path: &str| {
        if let Some(bytes) = known.borrow().get(path) {
            return Ok(bytes.clone());
        }
        // Links are not followed, and what is not tracked is not there.
        if tracked.files.get(path).is_none_or(|mode| mode == "120000") {
            return Ok(None);
        }
        let bytes = tree.blob(revision, path).map_err(|error| error.to_string())?;
        if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > IMAGE_PIN_FILE_BYTES_MAX) {
            return Err(format!("larger than {IMAGE_PIN_FILE_BYTES_MAX} bytes (IMAGE_PIN_FILE_BYTES_MAX)"));
        }
        known.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    };
    with(&Snapshot { files: &files, submodules: &tracked.submodules, read: &read })
}

struct Run<'r> {
    goal: &'r Goal<'r>,
    mode: &'r Mode,
    scratch: &'r Path,
    /// Build tools that were looked at, with the revision of them that knows the image.
    tools: Vec<(WorkTree, Result<String, String>)>,
    /// Names of patches that are given away.
    patches: Vec<String>,
}

impl Run<'_> {
    fn repository(&mut self, path: String, tree: &WorkTree, read: &Read) -> Bumped {
        let planned = snapshot(tree, &read.head.revision, &read.tracked, |snapshot| {
            let knows = |revision: &str| self.knows(revision);
            plan(snapshot, &read.pins, self.goal, &Tools { revision: self.tools_revision(), knows: &knows })
        });
        let outcome = match planned {
            Err(reason) => Err(State::Stopped { reason }),
            Ok(plan) if plan.edits.is_empty() => Ok((State::Current, None, Plan::default())),
            Ok(plan) => match self.write(&path, tree, read, &plan) {
                Ok((state, revision)) => Ok((state, Some(revision), plan)),
                Err(WriteError::Taken(reason)) => Err(State::Stopped { reason }),
                Err(WriteError::Failed(reason)) => Err(State::Unread { reason }),
            },
        };
        if read.is_tools {
            self.tools.push((tree.clone(), self.revision_of(&path, read, &outcome)));
        }
        match outcome {
            Ok((state, _, plan)) => Bumped { path, state, edits: plan.edits, notes: plan.notes },
            Err(state) => Bumped { path, state, edits: Vec::new(), notes: Vec::new() },
        }
    }

    /// The revision of build tools that components may point at.
    fn revision_of(
        &self,
        path: &str,
        read: &Read,
        outcome: &Result<(State, Option<Revision>, Plan), State>,
    ) -> Result<String, String> {
        match (outcome, self.mode) {
            (Ok((State::Current, ..)), _) => Ok(read.head.revision.to_string()),
            (Ok((_, _, plan)), _) if plan.edits.iter().all(|edit| edit.step != Step::Maps) => {
                Ok(read.head.revision.to_string())
            }
            // Applied, a patch becomes a commit of another name, which nobody knows yet.
            (Ok(_), Mode::Patch(_)) => Err(format!(
                "the build tools in {path} must know the image first: apply their patch, and run this again"
            )),
            (Ok((_, Some(revision), _)), _) => Ok(revision.to_string()),
            (Ok(_) | Err(_), _) => Err(format!("the build tools in {path} do not know the image, and were not bumped")),
        }
    }

    fn tools_revision(&self) -> Result<String, String> {
        if let Some(revision) = &self.goal.catalog.tools_revision {
            return Ok(revision.clone());
        }
        match self.tools.as_slice() {
            [] => Err("nobody can say whether these build tools know the image: name their repository too".to_owned()),
            [(_, revision)] => revision.clone(),
            _ => Err("there are several repositories of build tools: name one".to_owned()),
        }
    }

    /// Whether build tools at a revision know the image, as their repository says.
    fn knows(&self, revision: &str) -> Option<bool> {
        let revision = Revision::parse(revision)?;
        if self.goal.catalog.tools_revision.as_deref() == Some(revision.as_str()) {
            return Some(true);
        }
        self.tools.iter().find_map(|(tree, _)| {
            let script = tree.blob(&revision, "tools/validate-buildenv.sh").ok()??;
            let text = String::from_utf8_lossy(&script).into_owned();
            let maps = tools::maps(&text);
            let map = maps.iter().find(|map| map.name == MAP)?;
            Some(map.entries.contains_key(&self.goal.image.uuid))
        })
    }

    fn write(
        &mut self,
        path: &str,
        tree: &WorkTree,
        read: &Read,
        plan: &Plan,
    ) -> Result<(State, Revision), WriteError> {
        let scratch = Scratch::in_cache(self.scratch).map_err(|error| WriteError::Failed(error.to_string()))?;
        // Whoever looks at a branch first must find no object missing; a plan or a patch leaves none behind.
        let objects = match self.mode {
            Mode::Branch(_) => tree.objects(scratch),
            Mode::Patch(_) | Mode::Plan => tree.objects_beside(scratch)?,
        };
        let published = self.goal.image.published.map_or(i64::MIN, jiff::Timestamp::as_second);
        let message = self.message(plan);
        let change = Change {
            parent: &read.head.revision,
            files: &plan.files,
            submodules: &plan.submodules,
            message: &message,
            seconds: read.head.committed_seconds.max(published),
        };
        let commit = tree.commit(&change, &objects)?;
        let state = match self.mode {
            Mode::Plan => State::Planned,
            Mode::Branch(name) => {
                let is_new = match tree.branch(name)? {
                    Some(known) if known == commit => false,
                    Some(known) => {
                        return Err(WriteError::Taken(format!(
                            "its branch {name} holds something else, {}: remove or merge it",
                            known.short()
                        )));
                    }
                    None => {
                        tree.add_branch(name, &commit)?;
                        true
                    }
                };
                State::Branch { name: name.clone(), commit: commit.to_string(), is_new }
            }
            Mode::Patch(folder) => {
                let bytes = tree.patch(&commit, &objects)?;
                let file = folder.join(self.patch_name(path, tree));
                let is_new = std::fs::read(&file).ok().as_ref() != Some(&bytes);
                if is_new {
                    file::replace(&file, &bytes).map_err(|error| WriteError::Failed(error.to_string()))?;
                }
                State::Patch { file: file.display().to_string(), is_new }
            }
        };
        Ok((state, commit))
    }

    /// The folder's name; where two share it, the second has a number.
    fn patch_name(&mut self, path: &str, tree: &WorkTree) -> String {
        let name =
            tree.root().file_name().map_or_else(|| path.replace('/', "-"), |name| name.to_string_lossy().into_owned());
        let count = self.patches.iter().filter(|known| **known == name).count();
        self.patches.push(name.clone());
        if count == 0 { format!("{name}.patch") } else { format!("{name}-{}.patch", count + 1) }
    }

    fn message(&self, plan: &Plan) -> String {
        let name = self.goal.image.whole_name();
        let is_for_tools = plan.edits.iter().all(|edit| edit.step == Step::Maps);
        let subject =
            if is_for_tools { format!("Know the image {name}") } else { format!("Bump the origin image to {name}") };
        let body: String = plan
            .edits
            .iter()
            .map(|edit| match &edit.from {
                Some(from) => format!("{}: {} {from} -> {}\n", edit.file, edit.name, edit.to),
                None => format!("{}: {} {}\n", edit.file, edit.name, edit.to),
            })
            .collect();
        format!("{subject}\n\n{body}")
    }
}

enum WriteError {
    /// Somebody else's work is in the way.
    Taken(String),
    Failed(String),
}

impl From<ChangeError> for WriteError {
    fn from(error: ChangeError) -> Self {
        Self::Failed(error.to_string())
    }
}
