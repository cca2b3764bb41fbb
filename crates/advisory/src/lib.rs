//! Advisory records, every source's parser, identities and statements, the compiled index; pure.

pub mod conditions;
mod configuration;
pub mod cpe;
mod document;
pub mod identity;
pub mod index;
pub mod merge;
pub mod nvd;
pub mod osv;
pub mod prose;
pub mod ranges;
pub mod record;
pub mod triage;

pub use cpe::{Cpe, Part};
pub use record::{Affected, Bound, Platform, Product, Record, Source, VersionRange};
