//! What a system is made of: one reader per source. Reads and reports problems; judging happens in aux-audit.

mod closure;
pub mod configuration;
pub mod cyclonedx;
mod derivers;
pub mod detect;
mod documents;
mod evaluate;
mod gather;
pub mod graph;
mod graph_order;
#[cfg(test)]
mod hostile;
pub mod list;
mod machine;
pub mod manifest;
mod nix_documents;
mod nix_program;
pub mod purl;
mod read;
pub mod spdx;
mod store_database;
pub mod store_name;
mod store_objects;

pub use evaluate::{FlakeTarget, Step, read_flake, read_flake_lock};
pub use gather::Gathered;
pub use machine::{read_machine, read_machine_configuration};
pub use nix_program::{EvaluateError, Flake, Nix, evaluate_json, string_literal};
pub use read::{ReadOptions, read};
pub use store_objects::{StoreObject, StoreObjectsError, store_objects, store_path_of};
