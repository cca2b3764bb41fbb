//! Exit codes of every command; the same numbers stand in the help.

/// Done, and nothing at or above the gate.
pub const DONE: u8 = 0;
/// The answer is no: findings, a mismatch, drift.
pub const NO: u8 = 1;
/// No answer: usage, unreadable or incomplete input, a bad signature, a stale feed.
pub const UNKNOWN: u8 = 2;
/// The reader of our output went away.
pub const CLOSED_PIPE: u8 = 141;
