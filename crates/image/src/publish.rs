//! An image that was built, put where others fetch it: in a folder, an OCI registry or imgapi, whole or not at all.
//!
//! What makes an image visible comes last: a rename, a tag, an activation. Until then whatever was sent is nobody's, and
//! the next run goes on from it.

mod built;
mod connection;
mod credentials;
mod error;
mod folder;
mod imgapi;
mod json;
mod origins;
mod registry;
#[cfg(test)]
mod tests;
mod uploads;

use jiff::SignedDuration;

pub use built::{Blob, Built, BuiltError};
pub use credentials::{Credentials, CredentialsError};
pub use error::PublishError;
pub use folder::to_folder;
pub use imgapi::{ImgapiTarget, to_imgapi};
pub use json::{SCHEMA, json};
pub use origins::{RuleError, check_catalog};
pub use registry::{RegistryTarget, TargetError, to_registry};
pub use uploads::Uploads;

/// What publishing takes from the world.
pub struct Surroundings<'w> {
    pub client: &'w aux_io::http::HttpClient,
    pub credentials: Option<&'w Credentials>,
    /// Waits before the next attempt.
    pub pause: &'w dyn Fn(SignedDuration),
    /// Told of bytes as they go out.
    pub progress: &'w dyn Fn(u64),
    /// Say what would be done after the checks, and send nothing.
    pub is_dry_run: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where it is now.
    pub place: String,
    pub state: State,
    /// The UUID it has there.
    pub uuid: String,
    /// The digest of its manifest, in a registry.
    pub digest: Option<String>,
    /// The channels it is in, in imgapi.
    pub channels: Vec<String>,
    pub sent_bytes: u64,
    /// Bytes that were there already, from an earlier run or another image.
    pub present_bytes: u64,
}

/// Whether this run put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Published,
    /// It was there before, the same.
    Present,
    /// A dry run.
    Planned,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Present => "present",
            Self::Planned => "planned",
        }
    }
}
