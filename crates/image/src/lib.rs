//! Origin images of pkgsrc: audited by what can be fixed, planned, built, published, and bumped where they are pinned.

pub mod audit;
pub mod build;
pub mod bump;
pub mod catalog;
mod gate;
pub mod history;
#[cfg(test)]
mod hostile;
mod list;
pub mod make;
pub mod pins;
pub mod plan;
mod problem;
pub mod publish;
pub mod resolve;
mod seen;
pub mod spec;
mod summary;
pub mod watch;

pub use catalog::{Catalog, CatalogError, FlakeRevision, Image, Maps};
pub use gate::{DEFAULT_GATE, Gate, GateError};
pub use list::{ListEntry, ListFacts, Signature, VulnerabilityList};
pub use seen::{Seen, SeenError};
pub use spec::{Spec, SpecError};
pub use summary::{Package, Summary, SummaryError};
