//! Nix's formats, pure: store paths, derivations, NAR, narinfo, signatures, flake.lock, path-info. Nothing here touches a
//! file or a process.

pub mod base_name;
pub mod cache_info;
pub mod content_address;
pub mod derivation;
pub mod flake_lock;
pub mod hash;
#[cfg(test)]
mod hostile;
pub mod nar;
pub mod narinfo;
pub mod nix32;
pub mod path_info;
pub mod references;
pub mod signature;
pub mod store_path;
pub mod structured_attrs;

pub use base_name::BaseName;
pub use content_address::ContentAddress;
pub use derivation::Derivation;
pub use hash::{Hash, Sha256};
pub use narinfo::NarInfo;
pub use store_path::StorePath;
