//! A private binary cache of what was vetted: storage, routes, policy gate, collection, checks.

pub mod access;
mod cache;
mod catalogue;
mod check;
pub mod client;
mod dependencies;
mod feed;
mod frames;
pub mod http;
mod keys;
pub mod names;
mod objects;
mod policy;
mod promote;
mod prove;
mod push;
mod receive;
mod records;
mod verdict;
mod withdraw;

pub use cache::{Cache, OpenError, Surroundings};
pub use http::{Server, serve};
pub use objects::Keep;
