//! Repositories fetched into a cache: one bare repository for each address, the newest commit of what was asked for.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Git, GitError, Reference, Revision, Target};

/// A bare repository of the cache.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) git: Git,
    pub(crate) folder: PathBuf,
}

/// Why a repository could not be fetched. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{}: the cache cannot be used: {cause}", path.display())]
    Cache { path: PathBuf, cause: io::Error },
    #[error("has no branch or tag `{0}`")]
    NoName(String),
    #[error("has no revision {0}")]
    NoRevision(Revision),
    #[error("has no commit yet")]
    Empty,
    #[error("cannot be fetched: {0}")]
    Git(GitError),
}

/// Fetches the state of a repository that a target names, and says which revision that is.
///
/// `cache` is the folder of all fetched repositories. A revision that is there already is not asked for again.
pub fn fetch(git: &Git, target: &Target, cache: &Path) -> Result<(Repository, Revision), FetchError> {
    let is_local = target.url.starts_with("file://");
    in_cache(git, &target.url, cache, is_local, |repository| match &target.reference {
        Reference::Head => repository.fetch(&target.url, "HEAD").map_err(|error| unfetched(error, FetchError::Empty)),
        Reference::Revision(revision) => repository.fetch_revision(&target.url, revision),
        Reference::Name(name) => repository.fetch_name(&target.url, name),
    })
}

/// Fetches one revision of a repository on this machine, so that it can be laid out by nobody's settings but ours.
pub fn fetch_local(git: &Git, git_dir: &Path, revision: &Revision, cache: &Path) -> Result<Repository, FetchError> {
    // An absolute path is no option, and with its scheme no helper's address.
    let url = format!("file://{}", git_dir.display());
    let fetched = in_cache(git, &url, cache, true, |repository| repository.fetch_revision(&url, revision))?;
    Ok(fetched.0)
}

fn in_cache(
    git: &Git,
    url: &str,
    cache: &Path,
    is_local: bool,
    fetch: impl FnOnce(&Repository) -> Result<Revision, FetchError>,
) -> Result<(Repository, Revision), FetchError> {
    let folder = cache.join(format!("{}.git", folder_name(url)));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| FetchError::Cache { path, cause }
    };
    fs::create_dir_all(cache).map_err(failed(cache))?;
    // Two fetches into one repository would stumble over each other's temporary files.
    let lock = folder.with_extension("lock");
    let file = File::options().create(true).append(true).open(&lock).map_err(failed(&lock))?;
    file.lock().map_err(failed(&lock))?;
    let mut git = git.clone();
    if is_local {
        // Git refuses repositories of other owners. The user named this one, and nothing of it is run.
        let settings = cache.join("local.gitconfig");
        let text = b"[safe]\n\tdirectory = *\n";
        aux_io::file::replace(&settings, text).map_err(|error| FetchError::Cache {
            path: settings.clone(),
            cause: io::Error::other(error.to_string()),
        })?;
        git = git.variable("GIT_CONFIG_GLOBAL", settings);
    }
    let repository = Repository { git, folder };
    repository.create().map_err(FetchError::Git)?;
    let revision = fetch(&repository)?;
    Ok((repository, revision))
}

/// The last word of the address for people, and a digest of all of it.
fn folder_name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name: String = last.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let digest = blake3::hash(url.as_bytes()).to_hex();
    format!("{name}-{}", digest.get(..24).unwrap_or(&digest))
}

impl Repository {
    fn create(&self) -> Result<(), GitError> {
        if self.folder.join("HEAD").is_file() {
            return Ok(());
        }
        let template = OsStr::new("--template=");
        let words = ["init", "--quiet", "--bare"].map(OsStr::new);
        self.git.run(words.into_iter().chain([template, self.folder.as_os_str()])).map(drop)
    }

    /// Runs git on this repository.
    pub(crate) fn run<'a>(&'a self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<Vec<u8>, GitError> {
        let place = [OsStr::new("--git-dir"), self.folder.as_os_str()];
        self.git.run(place.into_iter().chain(arguments))
    }

    fn fetch_name(&self, url: &str, name: &str) -> Result<Revision, FetchError> {
        let absent = || FetchError::NoName(name.to_owned());
        if name.starts_with("refs/") {
            return self.fetch(url, name).map_err(|error| unfetched(error, absent()));
        }
        match self.fetch(url, &format!("refs/heads/{name}")) {
            Err(error) if is_absent(&error) => {
                self.fetch(url, &format!("refs/tags/{name}")).map_err(|error| unfetched(error, absent()))
            }
            other => other.map_err(FetchError::Git),
        }
    }

    fn fetch_revision(&self, url: &str, revision: &Revision) -> Result<Revision, FetchError> {
        if self.resolve(revision.as_str()).is_ok_and(|known| known == *revision) {
            return Ok(revision.clone());
        }
        let absent = || FetchError::NoRevision(revision.clone());
        self.fetch(url, revision.as_str()).map_err(|error| unfetched(error, absent()))
    }

    /// `source` is `HEAD`, a full name of a reference, or a revision: none begins with a dash.
    fn fetch(&self, url: &str, source: &str) -> Result<Revision, GitError> {
        const FETCHED: &str = "refs/aux/fetched";
        let specification = format!("+{source}:{FETCHED}");
        let words = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--depth=1"];
        let words = words.into_iter().chain(["--end-of-options", url, specification.as_str()]);
        self.run(words.map(OsStr::new))?;
        let revision = self.resolve(FETCHED)?;
        // A name of its own keeps it when the next fetch moves the other.
        let kept = format!("refs/aux/kept/{revision}");
        self.run(["update-ref", kept.as_str(), revision.as_str()].map(OsStr::new))?;
        Ok(revision)
    }

    /// The commit that a name of ours or a revision stands for.
    fn resolve(&self, name: &str) -> Result<Revision, GitError> {
        let commit = format!("{name}^{{commit}}");
        let output = self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit].map(OsStr::new))?;
        let text = String::from_utf8_lossy(&output);
        let wrong = || GitError::Failed { complaint: format!("`{}` is no revision", text.trim()) };
        Revision::parse(text.trim()).ok_or_else(wrong)
    }
}

/// Whether the other side answered that it has no such thing.
fn is_absent(error: &GitError) -> bool {
    let GitError::Failed { complaint } = error else { return false };
    ["couldn't find remote ref", "not our ref", "no such remote ref", "bad object"]
        .iter()
        .any(|sign| complaint.contains(sign))
}

fn unfetched(error: GitError, absent: FetchError) -> FetchError {
    if is_absent(&error) { absent } else { FetchError::Git(error) }
}
