//! Nix's formats, pure: store paths, derivations, flake.lock, path-info. Nothing here touches a file or a process.

pub mod derivation;
pub mod flake_lock;
#[cfg(test)]
mod hostile;
pub mod path_info;
pub mod store_path;
pub mod structured_attrs;

pub use derivation::Derivation;
pub use store_path::StorePath;
