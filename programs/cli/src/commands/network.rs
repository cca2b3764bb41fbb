//! The way out, as the surroundings say: who we are, and which proxy stands in between.

use std::env;

use aux_io::http::{HttpClient, HttpOptions, Proxy};
use aux_io::source::Source;

use crate::failure::Failure;

/// What every command that fetches uses: URLs of web servers and of files alike.
pub(crate) fn source(allow_insecure: bool) -> Result<Source, Failure> {
    let client = HttpClient::new(options(allow_insecure)?).map_err(|error| Failure::http(&error))?;
    Ok(Source::new(client))
}

/// Options for a client, with the proxy that the environment names.
pub(crate) fn options(allow_insecure: bool) -> Result<HttpOptions, Failure> {
    let mut options = HttpOptions::new(concat!("aux/", env!("CARGO_PKG_VERSION")));
    options.allow_insecure = allow_insecure;
    options.proxy = proxy()?;
    Ok(options)
}

#[expect(clippy::disallowed_methods, reason = "where the proxy stands is a fact about the surroundings")]
pub(crate) fn proxy() -> Result<Option<Proxy>, Failure> {
    aux_app::proxy(|name| env::var(name).ok()).map_err(|error| Failure::new(error.to_string()).hint(error.advice()))
}
