//! The way out, as the surroundings say: who we are, and which proxy stands in between.

use std::env;

use aux_io::http::{HttpClient, HttpOptions, Proxy, Url};
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

/// `HTTPS_PROXY`, else `ALL_PROXY`, in either case of letters; `NO_PROXY` names who is reached without it.
#[expect(clippy::disallowed_methods, reason = "where the proxy stands is a fact about the surroundings")]
fn proxy() -> Result<Option<Proxy>, Failure> {
    let variable = |name: &str| {
        [name.to_owned(), name.to_lowercase()]
            .iter()
            .find_map(|name| env::var(name).ok().filter(|text| !text.is_empty()))
    };
    let Some((name, text)) = ["HTTPS_PROXY", "ALL_PROXY"].iter().find_map(|name| Some((name, variable(name)?))) else {
        return Ok(None);
    };
    let whole = if text.contains("://") { text } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|error| {
        Failure::new(format!("{name}: {error}"))
            .hint(format!("correct {name}, such as http://proxy.example:3128, or unset it"))
    })?;
    let except = variable("NO_PROXY").unwrap_or_default();
    let except = except.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
    Ok(Some(Proxy { url, except }))
}
