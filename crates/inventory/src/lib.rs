//! What a system is made of: one reader per source. Reads and reports problems; judging happens in aux-audit.

pub mod graph;
