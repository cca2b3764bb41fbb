//! Webhooks: one POST an event, signed as Standard Webhooks says (<https://www.standardwebhooks.com>, version 1.0.0).

use aux_core::limits::WEBHOOK_ANSWER_BYTES_MAX;
use aux_io::http::{HttpClient, HttpError, Request, Url, UrlError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;

use crate::{Channel, Event, Message, Secret, SendError};

/// What a secret begins with ("Signature scheme", symmetric).
const SECRET_PREFIX: &str = "whsec_";
/// Lengths of a key that the standard allows, bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a webhook cannot be set up. The secret and the URL's path, which may be one too, never stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("{channel}: the URL: {cause}")]
    Url { channel: String, cause: UrlError },
    #[error(
        "{channel}: the secret is not `whsec_` and 24 to 64 bytes in base64; make one with: \
         echo whsec_$(head -c 32 /dev/urandom | base64)"
    )]
    Secret { channel: String },
}

impl WebhookError {
    pub(crate) fn channel(&self) -> &str {
        match self {
            Self::Url { channel, .. } | Self::Secret { channel } => channel,
        }
    }
}

/// The key of a webhook's signatures.
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads `whsec_…`; nothing for what is none.
    pub fn parse(secret: &Secret) -> Option<Self> {
        let key = STANDARD.decode(secret.reveal().strip_prefix(SECRET_PREFIX)?).ok()?;
        KEY_BYTES.contains(&key.len()).then_some(Self(key))
    }

    /// The value of `webhook-signature`: `v1,` and the HMAC-SHA256 over `id.timestamp.body` in base64.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        // HMAC takes keys of any length (RFC 2104, section 2), so this cannot fail.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        hmac.update(format!("{id}.{timestamp_seconds}.").as_bytes());
        hmac.update(body);
        format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
    }
}

/// A server that takes events.
pub struct Webhook {
    name: String,
    url: Url,
    /// Scheme, host and port: all that errors may show, for the path of many a webhook is its password.
    origin: String,
    key: Option<SigningKey>,
    client: HttpClient,
}

impl Webhook {
    /// A webhook; without a secret its requests carry no signature.
    pub fn new(name: &str, url: &Secret, secret: Option<&Secret>, client: HttpClient) -> Result<Self, WebhookError> {
        let url = Url::parse(url.reveal()).map_err(|cause| WebhookError::Url { channel: name.to_owned(), cause })?;
        let key = secret
            .map(|secret| SigningKey::parse(secret).ok_or_else(|| WebhookError::Secret { channel: name.to_owned() }));
        let origin = url.join("/").map_or_else(|_| "the webhook".to_owned(), |root| root.to_string());
        Ok(Self { name: name.to_owned(), url, origin, key: key.transpose()?, client })
    }

    /// The host it goes to, fit to be shown.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn failed(&self, error: &HttpError) -> SendError {
        let cause = error.to_string().replace(&self.url.to_string(), &self.origin);
        if error.is_passing() { SendError::passing(cause) } else { SendError::refused(cause) }
    }
}

/// The body ("Payload structure"): type, timestamp, data.
#[derive(Serialize)]
struct Payload<'e> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(with = "crate::event::rfc3339")]
    timestamp: Timestamp,
    data: &'e Event,
}

/// The body of an event's request; docs/formats/webhook.md has an example.
pub fn payload(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Payload { kind: format!("aux.alert.{}", event.kind), timestamp: event.raised, data: event })
}

impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, messages: &[Message], now: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        for message in messages {
            let body = payload(&message.event).map_err(|error| SendError::refused(error.to_string()))?;
            let signature = self.key.as_ref().map(|key| key.sign(&message.id, now.as_second(), &body));
            let mut request = Request::post(self.url.clone(), body, WEBHOOK_ANSWER_BYTES_MAX)
                .header("content-type", "application/json")
                .header("webhook-id", &message.id)
                .header("webhook-timestamp", now.as_second().to_string());
            if let Some(signature) = signature {
                request = request.header("webhook-signature", signature);
            }
            let response = self.client.fetch(&request).map_err(|error| self.failed(&error))?;
            if response.is_success() {
                continue;
            }
            let patience = response.retry_after.map(|after| after.seconds_from(now));
            let error = self.failed(&response.unexpected());
            return Err(match (error, patience.and_then(|seconds| i64::try_from(seconds).ok())) {
                (SendError::Passing { cause, .. }, retry_after_seconds) => {
                    SendError::Passing { cause, retry_after_seconds }
                }
                (refused, _) => refused,
            });
        }
        Ok(vec![None; messages.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_signed_as_there() {
        let key = SigningKey::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!"] {
            assert!(SigningKey::parse(&Secret::new(wrong)).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_payload_is_the_golden_one() {
        let event = Event { is_test: false, ..Event::test("web-1", Timestamp::UNIX_EPOCH) };
        let payload = String::from_utf8(payload(&event).unwrap()).unwrap();
        assert_eq!(payload + "\n", include_str!("../tests/golden/webhook.json"));
    }
}
