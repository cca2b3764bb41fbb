//! The publisher's side: sources in, one index out; the triage folder read and checked.

mod compile;
mod sources;
mod triage;

pub use compile::{BuildError, BuildRequest, Built, build};
pub use triage::{TriageFolder, read_triage};
