//! Talking to tang servers: their advertisement, and their half of a recovery.

use aux_core::limits::TANG_ANSWER_BYTES_MAX;
use aux_io::http::{HttpClient, HttpError, Request, Url, UrlError};

use super::advertisement::{Advertisement, AdvertisementError};
use super::key::Jwk;

/// A server that does not help.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{url}: {cause}")]
    Url { url: String, cause: UrlError },
    #[error("{0}")]
    Http(HttpError),
    #[error("{url}: it has no key {thumbprint} any more; its keys were deleted or it is another server")]
    KeyGone { url: Url, thumbprint: String },
    #[error("{url}: its answer is no key of tang ({cause})")]
    Answer { url: Url, cause: String },
    #[error("{url}: its advertisement: {cause}")]
    Advertisement { url: Url, cause: AdvertisementError },
}

/// Fetches and checks what a server advertises. Whether it is trusted is the caller's to say.
pub(super) fn advertisement(http: &HttpClient, url: &str) -> Result<Advertisement, ServerError> {
    let url = below(url, "adv")?;
    let answer = http.fetch(&Request::get(url.clone(), TANG_ANSWER_BYTES_MAX)).map_err(ServerError::Http)?;
    let bytes = answer.bytes().map_err(ServerError::Http)?;
    Advertisement::verify(&bytes).map_err(|cause| ServerError::Advertisement { url, cause })
}

/// Has a server multiply a point by the key of this thumbprint.
pub(super) fn recover(http: &HttpClient, url: &str, thumbprint: &str, sent: &Jwk) -> Result<Jwk, ServerError> {
    let url = below(url, &format!("rec/{thumbprint}"))?;
    let unreadable = |cause: serde_json::Error| ServerError::Answer { url: url.clone(), cause: cause.to_string() };
    let body = serde_json::to_vec(sent).map_err(unreadable)?;
    let request =
        Request::post(url.clone(), body, TANG_ANSWER_BYTES_MAX).header("content-type", "application/jwk+json");
    let answer = http.fetch(&request).map_err(ServerError::Http)?;
    if answer.is_missing() {
        return Err(ServerError::KeyGone { url, thumbprint: thumbprint.to_owned() });
    }
    let bytes = answer.bytes().map_err(ServerError::Http)?;
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn below(url: &str, path: &str) -> Result<Url, ServerError> {
    let wrong = |cause| ServerError::Url { url: url.to_owned(), cause };
    Url::parse(&with_scheme(url)).and_then(|url| url.below(path)).map_err(wrong)
}

/// Clevis lets people write a host alone, and asks it over `http://`.
fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}
