//! Where tests find the real corpora: beside the checkout, or where `AUX_CORPORA` says.

use std::path::{Path, PathBuf};

/// A file of the corpora. Without it the test says so and passes; in CI it fails.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that skips must say so, and CI must not skip"
)]
pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let folder = std::env::var("AUX_CORPORA").map_or_else(|_| beside(), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(!in_ci(), "the corpus {} is missing", path.display());
    eprintln!(
        "skipped: {} is not there; the corpora belong in ../shared/corpora beside the repository",
        path.display()
    );
    None
}

/// Where a missing peer or corpus is a failure rather than a skip.
#[expect(clippy::disallowed_methods, reason = "whether something missing is a failure depends on where the test runs")]
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok()
}
