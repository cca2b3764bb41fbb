//! How requests reach a bucket: through our own door, with its bounds on time, speed and bytes.

use std::error::Error as _;

use async_trait::async_trait;
use aux_core::limits::CACHE_BUCKET_ANSWER_BYTES_MAX;
use aux_io::http::{HttpClient, HttpError, Method, Request, Url};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient as StoreClient, HttpConnector, HttpError as StoreError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

/// Makes clients of one door.
#[derive(Debug)]
pub(super) struct Connector(pub HttpClient);

#[derive(Debug)]
struct Service(HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<StoreClient> {
        Ok(StoreClient::new(Service(self.0.clone())))
    }
}

/// What cannot be said by any other error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unsaid(String);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, StoreError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let client = self.0.clone();
        let unsaid = |cause: String| StoreError::new(HttpErrorKind::Unknown, Unsaid(cause));
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| unsaid(error.to_string()))?;
        let method = method(&parts.method, &body).ok_or_else(|| unsaid(format!("no {} here", parts.method)))?;
        let mut asked = Request::new(url, method, CACHE_BUCKET_ANSWER_BYTES_MAX);
        for (name, value) in &parts.headers {
            // These the door writes itself.
            if *name != HOST && *name != CONTENT_LENGTH {
                asked = asked.header(name.as_str(), value.to_str().unwrap_or_default());
            }
        }
        let answered = tokio::task::spawn_blocking(move || exchange(&client, &asked)).await;
        answered.map_err(|error| unsaid(error.to_string()))?.map_err(failed)
    }
}

fn method(method: &hyper::Method, body: &Bytes) -> Option<Method> {
    let body = || body.to_vec();
    match *method {
        hyper::Method::GET => Some(Method::Get),
        hyper::Method::HEAD => Some(Method::Head),
        hyper::Method::DELETE => Some(Method::Delete),
        hyper::Method::PUT => Some(Method::Put { body: body() }),
        hyper::Method::POST => Some(Method::Post { body: body() }),
        _ => None,
    }
}

/// Asks, and reads the answer to its end: answers are pieces of a few megabytes.
fn exchange(client: &HttpClient, request: &Request) -> Result<HttpResponse, HttpError> {
    let answer = client.fetch(request)?;
    let mut response =
        Response::builder().status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY));
    for name in [&ETAG, &LAST_MODIFIED, &CONTENT_TYPE, &CONTENT_RANGE, &CONTENT_LENGTH, &RETRY_AFTER] {
        if let Some(value) = answer.header(name.as_str()).and_then(|value| HeaderValue::from_str(value).ok()) {
            response = response.header(HeaderName::clone(name), value);
        }
    }
    let body = if request.method == Method::Head { Vec::new() } else { answer.body.into_bytes()? };
    let body = HttpResponseBody::new(Full::new(Bytes::from(body)).map_err(|never| match never {}));
    response.body(body).map_err(|error| HttpError::Protocol { url: request.url.clone(), cause: error.to_string() })
}

/// In the words of the library, which tries again what may pass.
fn failed(error: HttpError) -> StoreError {
    let kind = match &error {
        HttpError::Connect { .. } | HttpError::UnknownHost { .. } => HttpErrorKind::Connect,
        HttpError::Timeout { .. } | HttpError::TooSlow { .. } => HttpErrorKind::Timeout,
        HttpError::Interrupted { .. } => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    StoreError::new(kind, error)
}

/// An error with its causes, each said once.
pub(super) fn told(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}
