//! The interface below `/-/api/1`: one file a subject, each request a document and each answer one.

mod caches;
mod hiding;
mod keeping;
mod policies;
mod tokens;
mod upstreams;
mod views;

use std::sync::Arc;

use aux_core::limits::CACHE_REQUEST_BYTES_MAX;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Answer, document};
use super::cached::header;
use super::failure::Failure;
use super::request::whole;
use super::{Server, blocking};
use crate::access::{Caller, Right};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::SpaceName;

/// A request of the interface, with all that an answer may rest on.
struct Call {
    cache: Arc<Cache>,
    caller: Caller,
    method: Method,
    query: String,
    body: Vec<u8>,
}

/// What a request is answered with: a status and a document.
struct Reply(StatusCode, serde_json::Value);

pub(super) async fn answer(
    server: &Arc<Server>,
    request: Request<Incoming>,
    parts: Vec<String>,
) -> Result<Answer, Failure> {
    let caller = server.cache.caller(header(request.headers(), &AUTHORIZATION));
    if !matches!(caller, Caller::Known(_)) {
        return Err(Failure::Unauthorized);
    }
    let (method, query) = (request.method().clone(), request.uri().query().unwrap_or_default().to_owned());
    let body = whole(request.into_body(), CACHE_REQUEST_BYTES_MAX).await?;
    let call = Call { cache: Arc::clone(&server.cache), caller, method, query, body };
    let Reply(status, value) = blocking(move || {
        // A right that another server took away is gone before anything is done with it.
        call.cache.catch_up()?;
        call.cache.confirm(&call.caller)?;
        call.dispatch(&parts)
    })
    .await?;
    Ok(document(status, &value))
}

impl Call {
    fn dispatch(&self, parts: &[String]) -> Result<Reply, Failure> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["status"] => self.only(&Method::GET, "GET", Self::status),
            ["gc"] => self.only(&Method::POST, "POST", Self::collect),
            ["fsck"] => self.only(&Method::POST, "POST", Self::check),
            ["trail"] => self.only(&Method::GET, "GET", Self::trail),
            ["caches", name, "withdraw"] => self.only(&Method::POST, "POST", |call| call.withdraw(name)),
            ["caches", name, "restore"] => self.only(&Method::POST, "POST", |call| call.restore(name)),
            ["caches", name, "why", path] => self.only(&Method::GET, "GET", |call| call.why(name, path)),
            ["caches", name, "pins"] => self.pins(name, None),
            ["caches", name, "pins", pin] => self.pins(name, Some(pin)),
            ["caches", name, "upstreams"] => self.only(&Method::GET, "GET", |call| call.upstreams(name)),
            ["caches", name, "upstreams", upstream] => self.upstream(name, upstream),
            ["views", rest @ ..] => self.views(rest),
            ["caches", rest @ ..] => self.caches(rest),
            ["tokens", rest @ ..] => self.tokens(rest),
            _ => Err(Failure::NotFound),
        }
    }

    fn only(
        &self,
        method: &Method,
        allowed: &'static str,
        act: impl FnOnce(&Self) -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        if self.method == *method { act(self) } else { Err(Failure::Method { allowed }) }
    }

    /// The request's document, every key of which is known.
    fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::malformed(error.to_string()))
    }

    /// The cache or view of a name, if the caller has a right on it.
    fn space(&self, name: &str, right: Right) -> Result<SharedSpace, Failure> {
        let name = SpaceName::parse(name).ok_or(Failure::NotFound)?;
        self.caller.may(right, Some(&name))?;
        self.cache.space(&name).ok_or(Failure::NotFound)
    }

    /// Everything at once: what only a token for all caches may do.
    fn may_all(&self, right: Right) -> Result<(), Failure> {
        Ok(self.caller.may(right, None)?)
    }
}

fn reply(status: StatusCode, document: &impl Serialize) -> Result<Reply, Failure> {
    let value = serde_json::to_value(document).map_err(|error| Failure::Internal { detail: error.to_string() })?;
    Ok(Reply(status, value))
}

fn ok(document: &impl Serialize) -> Result<Reply, Failure> {
    reply(StatusCode::OK, document)
}
