//! The client of a feed: fetch, verify, keep. What is kept is always a whole feed that was verified.

mod error;
mod freshness;
mod keep;
mod progress;
mod state;
mod sync;
mod transport;

pub use error::SyncError;
pub use freshness::{Freshness, MAX_AGE_DEFAULT};
pub use progress::Progress;
pub use state::{Current, State, StateError};
pub use sync::{Means, SyncRequest, Synced, sync};
