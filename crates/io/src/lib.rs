//! The only door outside: bounded input, HTTP, child processes, atomic files, databases.
//!
//! Every error names the file or program it is about, and every bound comes from [`aux_core::limits`].

pub mod database;
mod dumps;
pub mod file;
#[cfg(test)]
mod hostile;
pub mod http;
pub mod input;
pub mod private;
pub mod process;
pub mod source;
pub mod sqlite;
pub mod tls;
pub mod tpm;

pub use dumps::forbid_dumps;
