//! Readers against the real thing: a store made by a real Nix, and the corpora.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a skipped test says so, a failed one panics")]

mod corpora;
mod store;

/// Where a missing peer or corpus is a failure rather than a skip.
#[expect(clippy::disallowed_methods, reason = "whether something missing is a failure depends on where the test runs")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok()
}
