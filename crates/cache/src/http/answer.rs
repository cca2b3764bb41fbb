//! Answers: a head with its length, and a body of exactly that length.

use bytes::Bytes;
use hyper::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;
use super::failure::Failure;

pub(super) type Answer = Response<Body>;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const NARINFO: &str = "text/x-nix-narinfo";
pub(super) const NAR: &str = "application/x-nix-nar";
/// When to come again where the server could not now.
const RETRY_SECONDS: u64 = 5;
/// Why a path is hidden.
const WITHDRAWN: HeaderName = HeaderName::from_static("aux-withdrawn");
/// Upstreams that did not say whether they have it.
const UNANSWERED: HeaderName = HeaderName::from_static("aux-unanswered");
const REQUEST: HeaderName = HeaderName::from_static("aux-request");

/// A whole body in memory.
pub(super) fn bytes(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let bytes = bytes.into();
    let length = bytes.len() as u64;
    head(status, kind, length, Body::Bytes(bytes))
}

/// A document of the interface.
pub(super) fn document(status: StatusCode, document: &impl serde::Serialize) -> Answer {
    match serde_json::to_vec(document) {
        Ok(mut text) => {
            text.push(b'\n');
            bytes(status, JSON, text)
        }
        Err(error) => plain(&Failure::Internal { detail: error.to_string() }),
    }
}

/// A head that states the length; of an answer to `HEAD` the body is empty all the same.
pub(super) fn head(status: StatusCode, kind: &'static str, length: u64, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if length > 0 {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    answer
}

/// A failure as Nix is told it: the status phrase, and nothing more.
pub(super) fn plain(failure: &Failure) -> Answer {
    let phrase = failure.status().canonical_reason().unwrap_or("Error");
    with_headers(bytes(failure.status(), TEXT, format!("{phrase}\n")), failure)
}

/// A failure as the interface tells it.
pub(super) fn error(failure: &Failure, request: &str) -> Answer {
    let told: Value = json!({
        "schema": "aux.error/1",
        "status": failure.status().as_u16(),
        "error": failure.word(),
        "detail": failure.told(),
        "request": request,
    });
    with_headers(document(failure.status(), &told), failure)
}

/// Puts the request's number on an answer.
pub(super) fn numbered(mut answer: Answer, request: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(request) {
        answer.headers_mut().insert(REQUEST, value);
    }
    answer
}

fn with_headers(mut answer: Answer, failure: &Failure) -> Answer {
    let headers = answer.headers_mut();
    match failure {
        Failure::Unauthorized => {
            let challenge = HeaderValue::from_static("Basic realm=\"aux\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        Failure::Withdrawn { reason } => {
            let shown = visible_ascii(reason);
            if let Ok(value) = HeaderValue::from_str(&shown) {
                headers.insert(WITHDRAWN, value);
            }
        }
        Failure::Busy | Failure::Away { .. } => drop(headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))),
        Failure::Unanswered { silent, .. } => {
            // Names of upstreams are letters, digits and dashes.
            if let Ok(value) = HeaderValue::from_str(&silent.join(", ")) {
                headers.insert(UNANSWERED, value);
            }
        }
        Failure::Method { allowed } => drop(headers.insert(ALLOW, HeaderValue::from_static(allowed))),
        Failure::Range { size } => {
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                headers.insert(CONTENT_RANGE, value);
            }
        }
        _ => {}
    }
    answer
}

/// Headers hold ASCII (RFC 9110, section 5.5); the interface tells the reason as it is.
fn visible_ascii(text: &str) -> String {
    text.chars().map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}
