//! The publisher's side: sources in, one index out; the triage folder read and checked.

mod compile;
mod decisions;
mod fetch;
mod lint;
pub mod repository;
mod sources;
mod triage;

pub use compile::{BuildError, BuildRequest, Built, build};
pub use fetch::{
    Base, Bases, FetchError, FetchRequest, Fetched, Kept, NvdInterface, OSV_ECOSYSTEMS, Outside, Progress, fetch,
};
pub use lint::{LintRequest, Linted, lint};
pub use sources::Source;
pub use triage::{TriageFolder, read_triage};
