//! The parsers on real corpora, and signatures made by a real gpg.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod records;
mod signatures;
