//! A change of a work tree's repository that never touches the work tree: a commit beside it, on a branch or as a patch.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::PathBuf;

use aux_core::limits::{REPOSITORY_FILE_BYTES_MAX, REPOSITORY_FILES_MAX};

use crate::target::is_inside;
use crate::{Git, GitError, Revision, Scratch, TreeError, WorkTree};

/// Mode of a submodule in git's trees.
const SUBMODULE: &str = "160000";
/// Modes of files one may change; links are not.
const FILES: [&str; 2] = ["100644", "100755"];

/// What git tracks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracked {
    /// Paths of files, sorted, with their mode.
    pub files: BTreeMap<String, String>,
    /// Submodules with the revision that is pinned.
    pub submodules: BTreeMap<String, String>,
}

/// The commit that is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub revision: Revision,
    /// When it was committed, seconds since 1970.
    pub committed_seconds: i64,
}

/// A commit to make.
#[derive(Debug, Clone)]
pub struct Change<'c> {
    pub parent: &'c Revision,
    /// New bytes of tracked files.
    pub files: &'c BTreeMap<String, Vec<u8>>,
    /// New revisions of submodules.
    pub submodules: &'c BTreeMap<String, String>,
    pub message: &'c str,
    /// When it is made, seconds since 1970: the same change gives the same commit.
    pub seconds: i64,
}

/// Why a repository was not changed. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("{0}")]
    Git(#[from] GitError),
    #[error("{0}")]
    Tree(#[from] TreeError),
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("git said something that is not understood: `{0}`")]
    Answer(String),
    #[error("`{0}` is tracked neither as a file nor as a submodule")]
    Untracked(String),
}

/// Where commits are written: the repository itself, or a folder that knows the repository's objects.
#[derive(Debug)]
pub struct Objects {
    git: Git,
    scratch: Scratch,
}

impl WorkTree {
    /// What git tracks, or where there is no git every file.
    pub fn tracked_files(&self) -> Result<Tracked, ChangeError> {
        let mut tracked = Tracked::default();
        if !self.is_git() {
            let files = self.every_file().map_err(|error| match error {
                crate::LayoutError::Tree(error) => ChangeError::Tree(error),
                other => ChangeError::Answer(other.to_string()),
            })?;
            tracked.files = files.into_iter().map(|path| (path, "100644".to_owned())).collect();
            return Ok(tracked);
        }
        let listing = self.run(["ls-files", "-z", "--stage"])?;
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line);
            let (fields, path) = text.split_once('\t').ok_or_else(|| ChangeError::Answer(text.clone().into_owned()))?;
            let mut fields = fields.split(' ');
            let (mode, object) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            if !is_inside(path) {
                return Err(TreeError::Outside(path.to_owned()).into());
            }
            if mode == SUBMODULE {
                tracked.submodules.insert(path.to_owned(), object.to_owned());
            } else {
                tracked.files.insert(path.to_owned(), mode.to_owned());
            }
            if tracked.files.len() > REPOSITORY_FILES_MAX {
                return Err(TreeError::Files.into());
            }
        }
        Ok(tracked)
    }

    /// The bytes of a file as it is on disk; `None` where there is none, or where a link leads elsewhere.
    pub fn read_file(&self, path: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, ChangeError> {
        if !is_inside(path) {
            return Ok(None);
        }
        let whole = self.root().join(path);
        let failed = |cause| ChangeError::File { path: whole.clone(), cause };
        let real = match whole.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            Err(cause) => return Err(failed(cause)),
        };
        // A path that is not its own real one leads through a link.
        if real != whole || !real.is_file() {
            return Ok(None);
        }
        let bytes = real.metadata().map_err(failed)?.len();
        if bytes > limit_bytes {
            return Err(failed(io::Error::other(format!("{bytes} bytes, more than the {limit_bytes} allowed"))));
        }
        fs::read(&real).map(Some).map_err(failed)
    }

    /// The commit that is checked out; `None` before the first one.
    pub fn head(&self) -> Result<Option<Head>, ChangeError> {
        let Ok(output) = self.run(["log", "-1", "--no-show-signature", "--format=%H %ct", "HEAD"]) else {
            // Without a commit git fails, and says so in many words; a broken repository fails below too.
            self.run(["rev-parse", "--git-dir"])?;
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&output);
        let answer = || ChangeError::Answer(text.clone().into_owned());
        let (revision, seconds) = text.trim().split_once(' ').ok_or_else(answer)?;
        let revision = Revision::parse(revision).ok_or_else(answer)?;
        Ok(Some(Head { revision, committed_seconds: seconds.parse().map_err(|_| answer())? }))
    }

    /// The branch that is checked out; `None` where none is.
    pub fn branch_name(&self) -> Result<Option<String>, ChangeError> {
        match self.run(["symbolic-ref", "--quiet", "--short", "HEAD"]) {
            Ok(output) => Ok(Some(String::from_utf8_lossy(&output).trim().to_owned()).filter(|name| !name.is_empty())),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether something tracked was changed and not committed.
    pub fn is_changed(&self) -> Result<bool, ChangeError> {
        let mut arguments: Vec<OsString> = Vec::new();
        // A filter of the repository's own settings would be a program that runs.
        let filters = self.run(["config", "--name-only", "-z", "--get-regexp", "^filter\\."]).unwrap_or_default();
        for name in filters.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let name = String::from_utf8_lossy(name);
            let value = if name.ends_with(".required") { "false" } else { "" };
            arguments.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        arguments.extend(["status", "--porcelain", "-z", "--untracked-files=no"].map(OsString::from));
        let status = self.run_all(&self.git, &arguments)?;
        let mut entries = status.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).peekable();
        if entries.peek().is_none() {
            return Ok(false);
        }
        // A submodule that was never checked out has no folder, which git calls deleted where even that is not there.
        let submodules = self.tracked_files()?.submodules;
        let is_absent = |entry: &[u8]| {
            let path = entry.strip_prefix(b" D ").and_then(|path| std::str::from_utf8(path).ok());
            path.is_some_and(|path| submodules.contains_key(path))
        };
        Ok(entries.any(|entry| !is_absent(entry)))
    }

    /// The bytes of a file of a revision; `None` where it is not there.
    pub fn blob(&self, revision: &Revision, path: &str) -> Result<Option<Vec<u8>>, ChangeError> {
        let object = format!("{revision}:{path}");
        match self.run(["cat-file", "blob", &object]) {
            Ok(bytes) if bytes.len() as u64 > REPOSITORY_FILE_BYTES_MAX => {
                Err(TreeError::FileSize { path: path.to_owned(), size_bytes: bytes.len() as u64 }.into())
            }
            Ok(bytes) => Ok(Some(bytes)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Objects go into the repository, where nothing names them until a branch does.
    pub fn objects(&self, scratch: Scratch) -> Objects {
        Objects { git: self.git.clone(), scratch }
    }

    /// Objects go beside the repository, which stays as it is to the last byte.
    pub fn objects_beside(&self, scratch: Scratch) -> Result<Objects, ChangeError> {
        let output = self.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"])?;
        let text = String::from_utf8(output).map_err(|_| ChangeError::Answer("a path that is not UTF-8".to_owned()))?;
        let folder = scratch.path("objects");
        fs::create_dir_all(&folder).map_err(|cause| ChangeError::File { path: folder.clone(), cause })?;
        let git = self.git.variable("GIT_OBJECT_DIRECTORY", folder);
        let git = git.variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", text.trim_end_matches('\n'));
        Ok(Objects { git, scratch })
    }

    /// Writes a commit; nothing names it yet.
    pub fn commit(&self, change: &Change<'_>, objects: &Objects) -> Result<Revision, ChangeError> {
        let git = objects.git.variable("GIT_INDEX_FILE", objects.scratch.path("index"));
        let run = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            self.run_all(&git, &words)
        };
        run(&["read-tree", change.parent.as_str()])?;
        let tracked = self.tracked_files()?;
        let mut update: Vec<String> = vec!["update-index".to_owned()];
        for (path, bytes) in change.files {
            let mode = tracked.files.get(path).filter(|mode| FILES.contains(&mode.as_str()));
            let mode = mode.ok_or_else(|| ChangeError::Untracked(path.clone()))?;
            let file = objects.scratch.path("blob");
            aux_io::file::replace(&file, bytes).map_err(|error| ChangeError::File {
                path: file.clone(),
                cause: io::Error::other(error.to_string()),
            })?;
            let object = run(&["hash-object", "-w", "--no-filters", "--", &file.display().to_string()])?;
            update.extend(["--cacheinfo".to_owned(), format!("{mode},{},{path}", object_id(&object)?)]);
        }
        for (path, revision) in change.submodules {
            if !tracked.submodules.contains_key(path) {
                return Err(ChangeError::Untracked(path.clone()));
            }
            update.extend(["--cacheinfo".to_owned(), format!("{SUBMODULE},{revision},{path}")]);
        }
        run(&update.iter().map(String::as_str).collect::<Vec<_>>())?;
        let tree = object_id(&run(&["write-tree"])?)?;
        let git = self.identified(&git, change.seconds);
        let words = ["commit-tree", "--no-gpg-sign", &tree, "-p", change.parent.as_str(), "-m", change.message];
        let output = self.run_all(&git, &words.map(OsString::from))?;
        let text = String::from_utf8_lossy(&output);
        Revision::parse(text.trim()).ok_or_else(|| ChangeError::Answer(text.into_owned()))
    }

    /// Author and committer: whom the repository's own settings name, or this program.
    fn identified(&self, git: &Git, seconds: i64) -> Git {
        let setting = |name: &str| {
            let output = self.run(["config", "--get", name]).ok()?;
            Some(String::from_utf8_lossy(&output).trim().to_owned()).filter(|text| !text.is_empty())
        };
        let name = setting("user.name").unwrap_or_else(|| "aux".to_owned());
        let mail = setting("user.email").unwrap_or_else(|| "aux@localhost".to_owned());
        let moment = format!("{seconds} +0000");
        ["AUTHOR", "COMMITTER"].iter().fold(git.clone(), |git, who| {
            git.variable(&format!("GIT_{who}_NAME"), &name)
                .variable(&format!("GIT_{who}_EMAIL"), &mail)
                .variable(&format!("GIT_{who}_DATE"), &moment)
        })
    }

    /// What a branch points at.
    pub fn branch(&self, name: &str) -> Result<Option<Revision>, ChangeError> {
        let reference = format!("refs/heads/{name}");
        match self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &reference]) {
            Ok(output) => Ok(Revision::parse(String::from_utf8_lossy(&output).trim())),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a new branch at a commit; fails where one of that name came up meanwhile.
    pub fn add_branch(&self, name: &str, revision: &Revision) -> Result<(), ChangeError> {
        let reference = format!("refs/heads/{name}");
        let nothing = "0".repeat(revision.as_str().len());
        self.run(["update-ref", "--create-reflog", "-m", "aux image bump", &reference, revision.as_str(), &nothing])?;
        Ok(())
    }

    /// A commit as `git am` takes it.
    pub fn patch(&self, revision: &Revision, objects: &Objects) -> Result<Vec<u8>, ChangeError> {
        let words = [
            "format-patch",
            "--stdout",
            "--no-signature",
            "--no-ext-diff",
            "--no-textconv",
            "--no-stat",
            "--full-index",
            "--binary",
            "--zero-commit",
            "--submodule=short",
            "-1",
            revision.as_str(),
        ];
        Ok(self.run_all(&objects.git, &words.map(OsString::from))?)
    }

    fn run_all(&self, git: &Git, arguments: &[OsString]) -> Result<Vec<u8>, GitError> {
        let place = [OsStr::new("-c"), OsStr::new("safe.directory=*"), OsStr::new("-C"), self.root().as_os_str()];
        git.run(place.into_iter().chain(arguments.iter().map(OsString::as_os_str)))
    }
}

fn object_id(output: &[u8]) -> Result<String, ChangeError> {
    let text = String::from_utf8_lossy(output);
    Revision::parse(text.trim())
        .map(|revision| revision.as_str().to_owned())
        .ok_or_else(|| ChangeError::Answer(text.into_owned()))
}
