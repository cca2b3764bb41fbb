//! Advisory records, every source's parser, identities and statements, the compiled index; pure.

pub mod conditions;
pub mod cpe;
pub mod identity;
pub mod index;
pub mod nvd;
pub mod prose;
pub mod ranges;
pub mod record;
pub mod triage;

pub use cpe::{Cpe, Part};
pub use record::{Affected, Bound, Platform, Product, Record, VersionRange};
