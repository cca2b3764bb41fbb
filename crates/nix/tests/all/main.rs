//! Nix's formats against the real corpora.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

mod cache;
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
#[path = "../../../../tests/support/derivations.rs"]
mod derivations;
mod generations;
mod real_store;
mod round_trip;
