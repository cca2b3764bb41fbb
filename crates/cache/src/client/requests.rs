//! What can be asked of a server, one function each; the answers are its documents.

use serde::Serialize;
use serde_json::json;

use super::{CacheClient, ClientError, Document};

/// A cache to be made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewCache {
    pub name: String,
    pub anonymous: bool,
    pub signs: bool,
    /// As `name:base64`; a push then needs a signature of one.
    pub keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

/// A view to be made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewView {
    pub name: String,
    pub source: String,
    pub anonymous: bool,
    /// TOML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

/// An upstream that a cache is to have.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewUpstream {
    pub url: String,
    /// As `name:base64`; at least one.
    pub keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Patterns of names; all where there are none.
    pub names: Vec<String>,
    pub names_not: Vec<String>,
    /// Origins that its redirects may lead to besides its own.
    pub redirects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_milliseconds: Option<u64>,
}

/// A token to be made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewToken {
    pub label: String,
    /// A cache or view, or `*`.
    pub cache: String,
    pub rights: Vec<String>,
    /// A pattern of names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// What is to be promoted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Promotion {
    /// Store paths or their last parts.
    pub paths: Vec<String>,
    /// The text of a `flake.lock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// The text of an SBOM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    pub closure: bool,
    pub partial: bool,
    pub dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A policy that is to be tried: on what is named, or on all that the view serves.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PolicyTrial {
    /// TOML.
    pub policy: String,
    /// Store paths or their last parts.
    pub paths: Vec<String>,
    /// The text of a `flake.lock`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// The text of an SBOM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    pub closure: bool,
}

/// Where a view is to go back to.
#[derive(Debug, Clone, Serialize)]
pub struct Rollback {
    /// An edition's number, or a moment.
    pub to: serde_json::Value,
    pub reason: String,
    pub dry_run: bool,
}

impl CacheClient {
    pub fn status(&self) -> Result<Document, ClientError> {
        self.get("status", "aux.server/1")
    }

    pub fn caches(&self) -> Result<Document, ClientError> {
        self.get("caches", "aux.caches/1")
    }

    pub fn create_cache(&self, cache: &NewCache) -> Result<Document, ClientError> {
        self.post("caches", cache, "aux.cache/1")
    }

    pub fn create_view(&self, view: &NewView) -> Result<Document, ClientError> {
        self.post("views", view, "aux.view/1")
    }

    pub fn views(&self) -> Result<Document, ClientError> {
        self.get("views", "aux.views/1")
    }

    pub fn view(&self, name: &str) -> Result<Document, ClientError> {
        self.get(&format!("views/{}", part(name)?), "aux.view/1")
    }

    /// Gives a view another policy, in TOML.
    pub fn set_policy(&self, name: &str, policy: &str) -> Result<Document, ClientError> {
        self.put(&format!("views/{}/policy", part(name)?), &json!({ "policy": policy }), "aux.view/1")
    }

    /// What a policy would say, if the view had it.
    pub fn test_policy(&self, name: &str, trial: &PolicyTrial) -> Result<Document, ClientError> {
        self.post(&format!("views/{}/policy/test", part(name)?), trial, "aux.policy-test/1")
    }

    pub fn create_token(&self, token: &NewToken) -> Result<Document, ClientError> {
        self.post("tokens", token, "aux.token/1")
    }

    pub fn tokens(&self) -> Result<Document, ClientError> {
        self.get("tokens", "aux.tokens/1")
    }

    pub fn revoke_token(&self, id: &str) -> Result<Document, ClientError> {
        self.delete(&format!("tokens/{}", part(id)?), "aux.token/1")
    }

    pub fn promote(&self, view: &str, promotion: &Promotion) -> Result<Document, ClientError> {
        self.post(&format!("views/{}/promote", part(view)?), promotion, "aux.promotion/1")
    }

    pub fn roll_back(&self, view: &str, rollback: &Rollback) -> Result<Document, ClientError> {
        self.post(&format!("views/{}/rollback", part(view)?), rollback, "aux.rollback/1")
    }

    pub fn withdraw(&self, cache: &str, path: &str, reason: &str, dry_run: bool) -> Result<Document, ClientError> {
        let body = json!({ "path": path, "reason": reason, "dry_run": dry_run });
        self.post(&format!("caches/{}/withdraw", part(cache)?), &body, "aux.withdrawal/1")
    }

    pub fn restore(&self, cache: &str, path: &str, reason: &str) -> Result<Document, ClientError> {
        let body = json!({ "path": path, "reason": reason });
        self.post(&format!("caches/{}/restore", part(cache)?), &body, "aux.withdrawal/1")
    }

    /// Why a path is served or not; `digest` is the 32 characters it begins with.
    pub fn why(&self, cache: &str, digest: &str) -> Result<Document, ClientError> {
        self.get(&format!("caches/{}/why/{}", part(cache)?, part(digest)?), "aux.why/1")
    }

    /// Which of these base names the cache does not have.
    pub fn missing(&self, cache: &str, paths: &[&str]) -> Result<Document, ClientError> {
        self.post(&format!("caches/{}/missing", part(cache)?), &json!({ "paths": paths }), "aux.missing/1")
    }

    /// Which chunks of these digests, in hexadecimal, a NAR for the cache may refer to.
    pub fn known_chunks(&self, cache: &str, digests: &[String]) -> Result<Document, ClientError> {
        self.post(&format!("caches/{}/chunks", part(cache)?), &json!({ "digests": digests }), "aux.chunks/1")
    }

    pub fn pins(&self, cache: &str) -> Result<Document, ClientError> {
        self.get(&format!("caches/{}/pins", part(cache)?), "aux.pins/1")
    }

    /// Pins a path, or moves the pin of that name to it.
    pub fn pin(&self, cache: &str, name: &str, path: &str) -> Result<Document, ClientError> {
        let place = format!("caches/{}/pins/{}", part(cache)?, part(name)?);
        self.put(&place, &json!({ "path": path }), "aux.pin/1")
    }

    pub fn unpin(&self, cache: &str, name: &str) -> Result<Document, ClientError> {
        self.delete(&format!("caches/{}/pins/{}", part(cache)?, part(name)?), "aux.pin/1")
    }

    pub fn upstreams(&self, cache: &str) -> Result<Document, ClientError> {
        self.get(&format!("caches/{}/upstreams", part(cache)?), "aux.upstreams/1")
    }

    /// Gives a cache an upstream, or the one of that name other terms.
    pub fn put_upstream(&self, cache: &str, name: &str, upstream: &NewUpstream) -> Result<Document, ClientError> {
        let place = format!("caches/{}/upstreams/{}", part(cache)?, part(name)?);
        self.put(&place, upstream, "aux.upstream/1")
    }

    pub fn remove_upstream(&self, cache: &str, name: &str) -> Result<Document, ClientError> {
        self.delete(&format!("caches/{}/upstreams/{}", part(cache)?, part(name)?), "aux.upstream/1")
    }

    /// Collects, or says what would go.
    pub fn collect(&self, dry_run: bool, bounds: Bounds) -> Result<Document, ClientError> {
        let mut body = json!({ "dry_run": dry_run });
        for (name, value) in [
            ("older_than_seconds", bounds.older_than_seconds),
            ("unused_for_days", bounds.unused_for_days),
            ("stored_bytes_max", bounds.stored_bytes_max),
        ] {
            if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                members.insert(name.to_owned(), value.into());
            }
        }
        self.post("gc", &body, "aux.gc/1")
    }

    pub fn check(&self) -> Result<Document, ClientError> {
        self.post("fsck", &json!({}), "aux.fsck/1")
    }
}

/// What a collection leaves alone besides what is needed; without bounds the server's own age.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// What was pushed later than so long ago.
    pub older_than_seconds: Option<u64>,
    /// What was pushed or asked for later than so many days ago.
    pub unused_for_days: Option<u64>,
    /// As much as has room: no more goes than must.
    pub stored_bytes_max: Option<u64>,
}

/// A name as a part of a path; one that could mean another path is refused before it is sent.
pub(super) fn part(name: &str) -> Result<&str, ClientError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(ClientError::Name(name.to_owned()));
    }
    Ok(name)
}
