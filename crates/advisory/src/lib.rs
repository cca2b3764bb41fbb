//! Advisory records, every source's parser, identities and statements, the compiled index; pure.

pub mod conditions;
mod configuration;
pub mod cpe;
pub mod cve5;
mod cve_ids;
mod document;
#[cfg(test)]
mod hostile;
pub mod identity;
pub mod index;
pub mod kev;
pub mod merge;
pub mod nvd;
pub mod osv;
pub mod pkg_vulnerabilities;
pub mod prose;
pub mod publication;
pub mod ranges;
pub mod record;
pub mod signature;
pub mod signed_text;
mod statuses;
pub mod triage;

pub use cpe::{Cpe, Part};
pub use record::{Affected, Bound, Platform, Product, Record, Source, VersionRange};
