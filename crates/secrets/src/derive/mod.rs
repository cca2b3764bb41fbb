//! The key tree "aux-derive v1": from one seed to every scope, from a scope to every leaf (docs/formats/derivation.md).

mod encode;
mod label;
mod stream;
mod tree;

pub use encode::Fields;
pub use label::{Label, LabelError};
pub use stream::Stream;
pub use tree::{Check, FleetId, Leaf, NodeKind, ScopeKey, Seed};
