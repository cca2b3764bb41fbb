//! What is counted while serving.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only rises.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All of them, from the start of the server on.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub requests: Counter,
    pub failures: Counter,
    pub narinfo_hits: Counter,
    pub narinfo_misses: Counter,
    pub nar_bytes: Counter,
    pub pushed_paths: Counter,
    pub pushed_bytes: Counter,
}
