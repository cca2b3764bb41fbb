//! What each program does at start: configuration, log, exit codes.

pub mod config;
pub mod exit;
