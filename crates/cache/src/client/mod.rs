//! The client's side of a cache server: its interface asked, and closures pushed ([format](../../../../docs/formats/cache-api.md)).

mod ask;
mod dump;
mod error;
mod known;
mod pack;
mod plan;
mod push;
mod requests;
#[cfg(test)]
mod tests;

pub use ask::{CacheClient, Document};
pub use dump::{DumpError, dump};
pub use error::{ClientError, Refusal};
pub use pack::PackError;
pub use plan::{Item, Plan, PlanError};
pub use push::{PushError, PushFailure, PushOptions, PushStep, Pushed, push};
pub use requests::{Bounds, NewCache, NewToken, NewUpstream, NewView, PolicyTrial, Promotion, Rollback};
