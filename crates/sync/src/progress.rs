//! Somebody who wants to know that bytes are coming.

use std::fmt;
use std::sync::Arc;

/// A function that is told how many bytes just came.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(u64) + Send + Sync>);

impl Progress {
    pub fn new(told: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Nobody asks.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, bytes: u64) {
        (self.0)(bytes);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}
