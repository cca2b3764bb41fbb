//! One question to a server: token, method, body, and the document that comes back.

use std::io::Read;

use aux_core::limits::CACHE_ANSWER_BYTES_MAX;
use aux_io::http::{HttpClient, Length, Method, Request, Response, Url};
use aux_nix::cache_info::CacheInfo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{ClientError, Refusal};

/// Whoever accepts it is told why something was refused, also where Nix is told a status alone.
const JSON: &str = "application/json";
/// Where the interface for `aux cache` begins.
const INTERFACE: &str = "-/api/1";

/// A server and the right to ask it.
pub struct CacheClient {
    http: HttpClient,
    base: Url,
    token: Option<Zeroizing<String>>,
}

/// An answer of the interface, whose schema is the expected one.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    url: Url,
    schema: &'static str,
    value: Value,
}

impl Document {
    /// The document as it came.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What a reader of this version makes of it; keys that it does not know are passed over.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_value(self.value.clone())
            .map_err(|_| ClientError::NotCache { url: self.url.clone(), expected: self.schema })
    }
}

impl CacheClient {
    /// `base` is the server's address without the name of a cache.
    pub fn new(http: HttpClient, base: Url, token: Option<Zeroizing<String>>) -> Self {
        Self { http, base, token }
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for a document.
    pub(super) fn get(&self, path: &str, schema: &'static str) -> Result<Document, ClientError> {
        self.ask(Method::Get, path, schema)
    }

    pub(super) fn delete(&self, path: &str, schema: &'static str) -> Result<Document, ClientError> {
        self.ask(Method::Delete, path, schema)
    }

    pub(super) fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        schema: &'static str,
    ) -> Result<Document, ClientError> {
        self.ask(Method::Post { body: json(body) }, path, schema)
    }

    pub(super) fn put(&self, path: &str, body: &impl Serialize, schema: &'static str) -> Result<Document, ClientError> {
        self.ask(Method::Put { body: json(body) }, path, schema)
    }

    fn ask(&self, method: Method, path: &str, schema: &'static str) -> Result<Document, ClientError> {
        let url = self.base.below(&format!("{INTERFACE}/{path}")).map_err(aux_io::http::HttpError::from)?;
        let has_body = !matches!(method, Method::Get | Method::Head | Method::Delete);
        let mut request = self.request(method, url.clone());
        if has_body {
            request = request.header("content-type", JSON);
        }
        let bytes = self.checked(self.http.fetch(&request)?)?.body.into_bytes()?;
        let not_cache = || ClientError::NotCache { url: url.clone(), expected: schema };
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| not_cache())?;
        if value.get("schema").and_then(Value::as_str) != Some(schema) {
            return Err(not_cache());
        }
        Ok(Document { url, schema, value })
    }

    /// What a cache says of itself, to Nix.
    pub(super) fn cache_info(&self, cache: &str) -> Result<CacheInfo, ClientError> {
        let url = self.of_nix(&format!("{cache}/nix-cache-info"))?;
        let bytes = self.checked(self.http.fetch(&self.request(Method::Get, url.clone()))?)?.body.into_bytes()?;
        CacheInfo::parse(&bytes).map_err(|_| ClientError::NotCache { url, expected: "nix-cache-info" })
    }

    /// Whether something is there, of what Nix asks for.
    pub(super) fn has(&self, path: &str) -> Result<bool, ClientError> {
        let response = self.http.fetch(&self.request(Method::Head, self.of_nix(path)?))?;
        if response.is_missing() {
            return Ok(false);
        }
        self.checked(response).map(|_| true)
    }

    /// Puts a whole body where Nix would.
    pub(super) fn put_bytes(&self, path: &str, body: &[u8], kind: &str) -> Result<(), ClientError> {
        let method = Method::Put { body: body.to_vec() };
        let request = self.request(method, self.of_nix(path)?).header("content-type", kind).header("accept", JSON);
        self.checked(self.http.fetch(&request)?).map(drop)
    }

    /// Puts a NAR that is packed as it goes out, of so many bytes before that.
    pub(super) fn put_stream(&self, path: &str, body: &mut dyn Read, nar_size: u64) -> Result<(), ClientError> {
        let request = self.request(Method::Put { body: Vec::new() }, self.of_nix(path)?);
        let request = request.header("content-type", "application/x-nix-nar").header("accept", JSON);
        self.checked(self.http.upload(&request, body, Length::About(nar_size))?).map(drop)
    }

    fn of_nix(&self, path: &str) -> Result<Url, ClientError> {
        Ok(self.base.below(path).map_err(aux_io::http::HttpError::from)?)
    }

    fn request(&self, method: Method, url: Url) -> Request {
        let request = Request::new(url, method, CACHE_ANSWER_BYTES_MAX);
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.as_str())),
            None => request,
        }
    }

    /// A success, or what the server says of its refusal.
    fn checked(&self, response: Response) -> Result<Response, ClientError> {
        if response.is_success() {
            return Ok(response);
        }
        let (url, status) = (response.url.clone(), response.status);
        if status == 401 && self.token.is_none() {
            return Err(ClientError::NoToken { url });
        }
        let bytes = response.body.into_bytes().unwrap_or_default();
        let refusal: Refusal = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(ClientError::Refused { url, status, refusal })
    }
}

/// Our own requests are data that JSON can hold.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
