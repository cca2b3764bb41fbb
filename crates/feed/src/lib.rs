//! The publisher's side: sources in, one index out; the triage folder read and checked.

mod compile;
mod decide;
mod decisions;
mod fetch;
mod lint;
mod pending;
pub mod repository;
mod score;
mod sources;
mod triage;

pub use compile::{BuildError, BuildRequest, Built, build};
pub use decide::{DecideError, Decider, Decision, decide};
pub use fetch::{
    Base, Bases, FetchError, FetchRequest, Fetched, Kept, NvdInterface, OSV_ECOSYSTEMS, Outside, Progress, fetch,
};
pub use lint::{LintRequest, Linted, lint};
pub use pending::{Matter, Pending, PendingRequest, pending};
pub use score::{Score, ScoreError, score};
pub use sources::Source;
pub use triage::{TriageFolder, read_triage};
