//! The only door outside: bounded input, HTTP, child processes, atomic files, the store database.
//!
//! Every error names the file or program it is about, and every bound comes from [`aux_core::limits`].

pub mod file;
#[cfg(test)]
mod hostile;
pub mod http;
pub mod input;
pub mod process;
pub mod source;
pub mod sqlite;
