//! How a system is configured: facts for checks, read from an evaluated configuration, a running system or a repository.
//!
//! Nothing here judges. Reading is all that is done: no program is started and nothing is written.

mod evaluated;
mod private_key;
mod repository;
mod running;
mod system_root;

#[cfg(test)]
mod tests;

pub use evaluated::{ConfigurationError, read as read_evaluated, unseen};
pub use repository::read as read_repository;
pub use running::read as read_running;

/// A Nix function from a machine (anything with `config`) to an `aux.configuration/1` document, for `nix eval --apply`
/// or `nix-instantiate --eval --strict --json`. Pure, builds nothing, reveals no secret.
pub const CONFIGURATION_EXPRESSION: &str = include_str!("configuration.nix");

pub(crate) use evaluated::KEY;
pub(crate) use repository::of_lock;
