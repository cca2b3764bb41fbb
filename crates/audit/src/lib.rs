//! `audit(&Index, &Inventory, &Policy, now) -> Report`, and every way to write a report down. Pure: same input, same bytes.

mod audit;
mod changes;
pub mod checks;
mod describe;
mod explain;
pub mod formats;
pub mod gate;
#[cfg(test)]
mod hostile;
mod identify;
mod matching;
mod namesake;
mod parallel;
mod report;
mod waiver;

pub use audit::{Only, Policy, audit, audit_configurations};
pub use changes::{Changes, Fixed, InputChange, PackageChange, Presence, Side, TargetChanges, Terms, compare};
pub use describe::describe;
pub use explain::{Explanation, explain};
pub use gate::{DEFAULT_GATE, Gate, GateError};
pub use report::{FeedFacts, Report, Summary, TargetReport, Verdict, WaiverNote};
pub use waiver::{WaiverError, Waivers};
