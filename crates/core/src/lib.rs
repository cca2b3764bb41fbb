//! The words every room uses: components, versions and their orderings, severity, findings, limits.
//!
//! Nothing here reads a file, a clock or the environment; everything is data and total functions on it.

pub mod causes;
pub mod check;
pub mod component;
pub mod configuration;
pub mod ecosystem;
pub mod finding;
mod hexadecimal;
#[cfg(test)]
mod hostile;
pub mod inventory;
pub mod limits;
pub mod lines;
pub mod naming;
pub mod severity;
pub mod version;
pub mod visible;

pub use causes::with_causes;
pub use check::{CheckResult, CheckState};
pub use component::{Component, Patch, Scope};
pub use configuration::{Configuration, ConfigurationSource, Fact};
pub use ecosystem::Ecosystem;
pub use finding::{Evidence, Finding, Fix, Fixability, Package, State};
pub use hexadecimal::{hexadecimal, unhexadecimal};
pub use inventory::{FlakeInput, Inventory, Node, Problem, TargetKind};
pub use lines::line_of;
pub use severity::{Class, Score, Severity};
