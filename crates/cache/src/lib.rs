//! A private binary cache of what was vetted: storage, routes, policy gate, collection, checks.

pub mod client;
