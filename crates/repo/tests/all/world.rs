//! A folder with repositories in it, made by the real git.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aux_repo::{Git, Revision, Target};

/// Repositories and a cache, gone with the value.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// `None` where there is no git: a failure in CI, a visible skip elsewhere.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a missing peer must be seen")]
    pub(crate) fn new() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "git is not installed");
            eprintln!("skipped: no git; `apt-get install git` would bring it");
            return None;
        }
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.git("origin", &["init", "--quiet", "--initial-branch=main", "."]);
        Some(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Our git, in an environment that tries to interfere.
    pub(crate) fn ours(&self) -> Git {
        let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap();
        let environment: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), self.path("home").into()),
            ("GIT_DIR".into(), "/nonexistent".into()),
            ("GIT_EXTERNAL_DIFF".into(), "/nonexistent".into()),
        ];
        Git::new("git", &environment)
    }

    /// Runs the real git in a folder and returns what it said.
    #[expect(clippy::disallowed_methods, reason = "tests make repositories as people do")]
    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        fs::create_dir_all(self.path(folder)).unwrap();
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]);
        command.args(arguments).current_dir(self.path(folder)).env("HOME", self.path("home"));
        let output = command.env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        aux_io::file::replace(path, text.as_bytes()).unwrap();
    }

    pub(crate) fn link(&self, name: &str, destination: impl AsRef<Path>) {
        std::os::unix::fs::symlink(destination, self.path(name)).unwrap();
    }

    /// Commits everything in `origin`.
    pub(crate) fn commit(&self, message: &str) -> Revision {
        self.git("origin", &["add", "--all"]);
        self.git("origin", &["commit", "--quiet", "--allow-empty", "-m", message]);
        Revision::parse(&self.git("origin", &["rev-parse", "HEAD"])).unwrap()
    }

    /// The target of `origin` with these parameters.
    pub(crate) fn origin(&self, parameters: &str) -> Target {
        let word = format!("git+file://{}{parameters}", self.path("origin").display());
        Target::parse(&word).unwrap().unwrap()
    }

    pub(crate) fn fetch(&self, target: &Target) -> (aux_repo::Repository, Revision) {
        aux_repo::fetch(&self.ours(), target, &self.path("cache")).unwrap()
    }
}
