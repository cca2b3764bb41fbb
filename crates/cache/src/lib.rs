//! A private binary cache of what was vetted: storage, routes, policy gate, collection, checks.

pub mod access;
mod cache;
mod catalogue;
pub mod client;
pub mod http;
pub mod names;
mod objects;
mod push;
mod receive;
mod records;

pub use cache::{Cache, OpenError, Surroundings};
pub use http::{Server, serve};
