//! A private binary cache of what was vetted: storage, routes, policy gate, collection, checks.

pub mod access;
mod brotli;
mod cache;
mod catalogue;
mod check;
pub mod client;
mod clock;
mod dependencies;
mod feed;
mod follow;
mod frames;
#[cfg(test)]
mod hostile;
pub mod http;
mod keys;
mod leaving;
mod migrate;
pub mod names;
mod objects;
mod packing;
mod policy;
mod promote;
mod prove;
mod push;
mod receive;
mod records;
mod scrub;
mod sent;
mod trial;
mod turns;
mod upstream;
mod uses;
mod verdict;
mod withdraw;

pub use cache::{Cache, OpenError, Surroundings};
pub use http::{Server, serve};
pub use migrate::{Carried, Move, MoveError, MoveStep, Moved, Way, migrate};
pub use objects::{BucketError, BucketSettings, Keep, REGION};
pub use records::{Place, PlaceError, password};
pub use upstream::{Netrc, NetrcError, UpstreamError};

#[cfg(test)]
#[expect(dead_code, reason = "the corpora are for other packages' tests")]
#[path = "../../../tests/support/corpora.rs"]
mod corpora;
#[cfg(test)]
#[expect(dead_code, reason = "files with tags, TLS and bodies are for other packages' tests")]
#[path = "../../../tests/support/http_server.rs"]
mod http_server;
#[cfg(test)]
#[path = "../../../tests/support/moto.rs"]
mod moto;
#[cfg(test)]
#[expect(dead_code, reason = "passwords are the server's tests' matter")]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;
