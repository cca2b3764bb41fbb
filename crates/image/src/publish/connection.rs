//! Requests to one server: who asks, again where it passes, and what a refusal says.

use std::cell::RefCell;
use std::io::Read;

use aux_core::limits::{IMAGE_ANSWER_BYTES_MAX, IMAGE_PUBLISH_ATTEMPTS_MAX};
use aux_core::visible::visible;
use aux_io::http::{Length, Method, Request, Response, RetryAfter, Url};
use jiff::SignedDuration;
use serde_json::Value;

use super::{PublishError, Surroundings};

/// The wait before the second attempt, milliseconds; it doubles with each.
const PAUSE_MILLISECONDS: i64 = 250;
/// The longest wait that a server may ask for, seconds.
const RETRY_AFTER_SECONDS_MAX: u64 = 30;
/// Characters shown of what a server says in its own words.
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// The way to one server.
pub(super) struct Connection<'w> {
    pub(super) base: Url,
    pub(super) world: &'w Surroundings<'w>,
    /// What `Authorization` holds, for this origin alone.
    authorization: RefCell<Option<String>>,
}

impl<'w> Connection<'w> {
    /// A connection that shows credentials only once it is asked for them, in the way it is asked.
    pub(super) fn challenged(base: Url, world: &'w Surroundings<'w>) -> Self {
        Self { base, world, authorization: RefCell::new(None) }
    }

    /// A connection that shows credentials with each request.
    pub(super) fn known(base: Url, world: &'w Surroundings<'w>) -> Self {
        let authorization = world.credentials.map(super::Credentials::header);
        Self { base, world, authorization: RefCell::new(authorization) }
    }

    /// Sends a request whose repetition does no harm, again where it passes.
    pub(super) fn send(&self, request: &Request) -> Result<Response, PublishError> {
        let mut attempt = 1;
        loop {
            match self.once(request) {
                Err(error) if error.is_passing() && attempt < IMAGE_PUBLISH_ATTEMPTS_MAX => self.pause(attempt),
                other => return other,
            }
            attempt += 1;
        }
    }

    /// Sends a request once. A server in trouble is an error; every other status is an answer.
    pub(super) fn once(&self, request: &Request) -> Result<Response, PublishError> {
        self.authorized(request, &mut |request| Ok(self.world.client.fetch(request)?))
    }

    /// Sends a request with a body that is read as it goes out; `open` gives it from its beginning.
    pub(super) fn upload<'r>(
        &self,
        request: &Request,
        open: &dyn Fn() -> Result<Box<dyn Read + 'r>, PublishError>,
        length_bytes: u64,
    ) -> Result<Response, PublishError> {
        self.authorized(request, &mut |request| {
            let mut body = open()?;
            Ok(self.world.client.upload(request, &mut body, Length::Exactly(length_bytes))?)
        })
    }

    /// Waits before an attempt; each time twice as long.
    pub(super) fn pause(&self, attempt: u32) {
        (self.world.pause)(SignedDuration::from_millis(PAUSE_MILLISECONDS << attempt.saturating_sub(1).min(8)));
    }

    fn authorized(
        &self,
        request: &Request,
        send: &mut dyn FnMut(&Request) -> Result<Response, PublishError>,
    ) -> Result<Response, PublishError> {
        let response = send(&self.signed(request))?;
        let response = match (response.status, response.header("www-authenticate").map(str::to_owned)) {
            (401, Some(challenge)) if request.url.is_same_origin(&self.base) => {
                self.answer(&challenge, &response.url)?;
                send(&self.signed(request))?
            }
            _ => response,
        };
        if response.status == 429 || response.status >= 500 {
            if let Some(RetryAfter::Seconds(seconds)) = response.retry_after {
                let seconds = seconds.min(RETRY_AFTER_SECONDS_MAX);
                (self.world.pause)(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default()));
            }
            return Err(refused(response));
        }
        Ok(response)
    }

    /// The request with what it may show of credentials: nothing to any other origin.
    fn signed(&self, request: &Request) -> Request {
        let request = request.clone();
        match self.authorization.borrow().as_ref() {
            Some(value) if request.url.is_same_origin(&self.base) => request.header("Authorization", value.clone()),
            _ => request,
        }
    }

    /// Answers a challenge (RFC 9110, section 11.6.1): by the credentials themselves, or by a token that they are good for.
    fn answer(&self, challenge: &str, url: &Url) -> Result<(), PublishError> {
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        let own = self.world.credentials.map(super::Credentials::header);
        let value = match (scheme.to_ascii_lowercase().as_str(), own) {
            ("bearer", Some(own)) if own.starts_with("Bearer ") => own,
            ("bearer", own) => format!("Bearer {}", self.token(parameters, own, url)?),
            (_, Some(own)) => own,
            (_, None) => return Err(PublishError::Credentials { url: url.clone() }),
        };
        *self.authorization.borrow_mut() = Some(value);
        Ok(())
    }

    /// Asks the realm for a token; without credentials it may still give one that reads.
    fn token(&self, parameters: &str, own: Option<String>, url: &Url) -> Result<String, PublishError> {
        let realm = parameter(parameters, "realm");
        let realm = realm.ok_or_else(|| PublishError::answer(url, "asks for a token and does not say where"))?;
        let mut realm = url.join(&realm)?;
        if realm.is_file() || (url.is_https() && !realm.is_https()) {
            return Err(PublishError::answer(url, format!("sends credentials to {realm}, which is not encrypted")));
        }
        for name in ["service", "scope"] {
            if let Some(value) = parameter(parameters, name) {
                realm = realm.with_parameter(name, &value);
            }
        }
        let mut request = Request::get(realm.clone(), IMAGE_ANSWER_BYTES_MAX);
        if let Some(own) = own {
            request = request.header("Authorization", own);
        }
        let response = self.world.client.fetch(&request)?;
        if !response.is_success() {
            return Err(refused(response));
        }
        let document: Value = document(response)?;
        let token = ["token", "access_token"].into_iter().find_map(|name| document.get(name)?.as_str());
        let is_sound = |token: &&str| !token.is_empty() && token.bytes().all(|one| one.is_ascii_graphic());
        let token = token.filter(is_sound).ok_or_else(|| PublishError::answer(&realm, "gave no token"))?;
        Ok(token.to_owned())
    }
}

/// One parameter of a challenge: `name="value"`.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

/// A request without a body.
pub(super) fn request(url: Url, method: Method) -> Request {
    Request::new(url, method, IMAGE_ANSWER_BYTES_MAX)
}

/// The JSON that a server answered.
pub(super) fn document(response: Response) -> Result<Value, PublishError> {
    let url = response.url.clone();
    let bytes = response.body.into_bytes()?;
    serde_json::from_slice(&bytes).map_err(|_| PublishError::answer(&url, "answers with something that is not JSON"))
}

/// A refusal with what its body says, as registries and imgapi write it.
pub(super) fn refused(response: Response) -> PublishError {
    let (url, status) = (response.url.clone(), response.status);
    let unexpected = response.unexpected();
    let body = response.body.into_bytes().unwrap_or_default();
    let document: Option<Value> = serde_json::from_slice(&body).ok();
    let words = document.as_ref().and_then(|document| {
        let own = document.pointer("/errors/0").filter(|error| error.get("message").is_some()).unwrap_or(document);
        let text = |key: &str| own.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let parts: Vec<&str> = [text("code"), text("message")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    });
    match words {
        Some(words) => {
            let message = visible(&words).chars().take(MESSAGE_CHARACTERS_MAX).collect();
            PublishError::Refused { url, status, message }
        }
        None => PublishError::Http(unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_challenge_are_found_whatever_stands_in_them() {
        let text = r#"realm="https://auth.example/token",service="a=b",scope="repository:a/b:pull,push", plain=x"#;
        for (name, value) in [
            ("realm", Some("https://auth.example/token")),
            ("service", Some("a=b")),
            ("scope", Some("repository:a/b:pull,push")),
            ("plain", Some("x")),
            ("other", None),
        ] {
            assert_eq!(parameter(text, name).as_deref(), value, "{name}");
        }
        assert_eq!(parameter("realm=\"open", "realm"), None);
    }
}
