//! What each program does at start: configuration, log, exit codes.

pub mod agent;
pub mod config;
pub mod exit;
pub mod log;
mod proxy;

pub use proxy::{ProxyError, proxy};
