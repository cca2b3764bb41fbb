//! The one door for HTTP: every request bounded in size, time and speed, every URL shown without its credentials.
//!
//! Plain `http://` is for this machine only unless asked for, redirects are few and never leave TLS, and nothing is taken
//! from the environment: proxies and certificates are given.

pub(crate) mod body;
mod client;
mod error;
mod options;
mod request;
mod response;
mod url;

pub use body::Body;
pub use client::{HttpClient, Length};
pub use error::HttpError;
pub use options::{HttpOptions, Proxy};
pub use request::{Method, Request};
pub use response::{ByteRange, Response, RetryAfter};
pub use url::{Url, UrlError};
