//! Readers against the real thing: a store made by a real Nix, and the corpora.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a skipped test says so, a failed one panics")]

#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
#[path = "../../../../tests/support/derivations.rs"]
mod derivations;
mod evaluate;
mod evaluation;
mod generations;
mod graph;
mod lists;
mod store;
