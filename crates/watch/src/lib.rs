//! Watched systems: the last report of each, and what is new since the one before.

pub mod answer;
mod changes;
mod event;
pub mod fingerprint;
#[cfg(test)]
mod golden;
mod known;
pub mod metrics;
pub mod motd;
pub mod plan;
mod report;
mod round;
pub mod state;
mod store;
mod watched;

pub use changes::{Memory, Remembered, changes};
pub use event::{Event, EventKind, Subject, UnknownKind};
pub use known::{Known, KnownFix, KnownPackage, packagekit_word};
pub use report::{EventReport, Report, SystemReport};
pub use round::{Judged, Outcome, Request, RoundError, SystemOutcome, round};
pub use store::{Attempt, Audited, FILE_NAME, LastAudit, Note, Raised, Store, StoreError};
pub use watched::{THIS_MACHINE, Watched};
