//! The publisher's side: sources in, one index out; the triage folder read and checked.

mod compile;
mod decisions;
mod lint;
pub mod repository;
mod sources;
mod triage;

pub use compile::{BuildError, BuildRequest, Built, build};
pub use lint::{LintRequest, Linted, lint};
pub use triage::{TriageFolder, read_triage};
