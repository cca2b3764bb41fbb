//! Real programs that tests run against. Without one the test says so and passes; in CI it fails.

use std::path::PathBuf;

use crate::corpora::in_ci;

/// A program on the path, or the Debian package that brings it.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test that skips must say so")]
pub(crate) fn peer(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/bin", "/usr/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        assert!(!in_ci(), "{program} is missing: apt-get install {package}");
        eprintln!("skipped: {program} is not there; apt-get install {package}");
    }
    found
}
