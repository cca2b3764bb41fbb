//! Upstreams of a cache: given, listed with how they have been answering, taken away.

use aux_core::limits::{CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX, CACHE_UPSTREAM_RULES_MAX, CACHE_UPSTREAMS_MAX};
use aux_io::http::Url;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::caches::{public_keys, space_name};
use super::{Call, Failure, Reply, ok};
use crate::access::Right;
use crate::names::{Pattern, SpaceName};
use crate::records::{UpstreamRow, UpstreamTerms};
use crate::upstream::{Event, Upstream};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    url: String,
    keys: Vec<String>,
    #[serde(default = "super::caches::priority")]
    priority: u32,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    names_not: Vec<String>,
    #[serde(default)]
    redirects: Vec<String>,
    budget_milliseconds: Option<u64>,
}

#[derive(Serialize)]
struct Document<'u> {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'static str>,
    name: &'u str,
    url: String,
    keys: &'u [String],
    priority: u32,
    names: Vec<&'u str>,
    names_not: Vec<&'u str>,
    redirects: Vec<String>,
    budget_milliseconds: u32,
    created: jiff::Timestamp,
}

const SCHEMA: &str = "aux.upstream/1";

impl Call {
    pub(super) fn upstreams(&self, name: &str) -> Result<Reply, Failure> {
        let number = self.cache_only(name, Right::Admin)?.read().row.number;
        let upstreams: Result<Vec<Value>, Failure> =
            self.cache.upstreams.of(number).iter().map(|upstream| with_state(upstream)).collect();
        ok(&json!({ "schema": "aux.upstreams/1", "upstreams": upstreams? }))
    }

    pub(super) fn upstream(&self, cache: &str, name: &str) -> Result<Reply, Failure> {
        // An upstream is a URL that this server asks, and so for whoever is trusted with the whole server.
        self.may_all(Right::Admin)?;
        let space = self.cache_only(cache, Right::Admin)?;
        let (row, name) = (space.row(), space_name(name)?);
        let actor = self.cache.actor(&self.caller);
        match self.method {
            Method::PUT => {
                let terms = terms(&self.document()?, name)?;
                let _views = self.cache.changing_views()?;
                let others = self.cache.upstreams.of(row.number);
                if others.iter().filter(|other| other.row.terms.name != terms.name).count() >= CACHE_UPSTREAMS_MAX {
                    let detail = format!("a cache has at most {CACHE_UPSTREAMS_MAX} upstreams (CACHE_UPSTREAMS_MAX)");
                    return Err(Failure::refused("too-many", detail));
                }
                let trial = UpstreamRow { number: 0, space: row.number, terms: terms.clone(), created: actor.now };
                self.cache.upstreams.set_up(trial)?;
                let made = self.cache.records.put_upstream(&row, &terms, &actor)?;
                self.cache.upstreams.put(self.cache.upstreams.set_up(made.clone())?);
                ok(&document(&made, Some(SCHEMA)))
            }
            Method::DELETE => {
                let _views = self.cache.changing_views()?;
                let gone = self.cache.records.remove_upstream(&row, &name, &actor)?.ok_or(Failure::NotFound)?;
                self.cache.upstreams.remove(row.number, name.as_str());
                ok(&document(&gone, Some(SCHEMA)))
            }
            _ => Err(Failure::Method { allowed: "PUT, DELETE" }),
        }
    }
}

/// What is wished for, if it can be.
fn terms(wish: &Wish, name: SpaceName) -> Result<UpstreamTerms, Failure> {
    let wrong = |detail: String| Failure::refused("upstream", detail);
    let lists = [wish.keys.len(), wish.names.len(), wish.names_not.len(), wish.redirects.len()];
    if lists.into_iter().any(|length| length > CACHE_UPSTREAM_RULES_MAX) {
        return Err(wrong(format!(
            "a list has more than {CACHE_UPSTREAM_RULES_MAX} entries (CACHE_UPSTREAM_RULES_MAX)"
        )));
    }
    if wish.keys.is_empty() {
        return Err(Failure::refused("key", "an upstream needs a public key: what nobody signed is not taken"));
    }
    let budget = wish.budget_milliseconds.unwrap_or(CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX);
    let budget = u32::try_from(budget)
        .ok()
        .filter(|budget| (1..=CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX).contains(&u64::from(*budget)));
    let budget = budget.ok_or_else(|| {
        wrong(format!(
            "`budget_milliseconds` is from 1 to {CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX} \
             (CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX)"
        ))
    })?;
    let patterns = |texts: &[String]| {
        let pattern = |text: &String| {
            let wrong = || Failure::refused("name", format!("`{text}` is no pattern of names"));
            Pattern::parse(text).ok_or_else(wrong)
        };
        texts.iter().map(pattern).collect::<Result<Vec<_>, _>>()
    };
    Ok(UpstreamTerms {
        name,
        url: url(&wish.url)?,
        keys: public_keys(&wish.keys)?,
        priority: wish.priority,
        names: patterns(&wish.names)?,
        names_not: patterns(&wish.names_not)?,
        redirects: wish.redirects.iter().map(|text| url(text)).collect::<Result<_, _>>()?,
        budget_milliseconds: budget,
    })
}

/// The address of a server, with nothing in it that would be lost or should be secret.
fn url(text: &str) -> Result<Url, Failure> {
    let wrong = |cause: String| Failure::refused("upstream", cause);
    let url = Url::parse(text).map_err(|error| wrong(format!("the URL: {error}")))?;
    let parts = url.to_url();
    if url.is_file() {
        return Err(wrong("an upstream is reached over https:// or http://".to_owned()));
    }
    if !parts.username().is_empty() || parts.password().is_some() {
        return Err(wrong("a URL with a password would show it to everybody who reads the records".to_owned()));
    }
    if parts.query().is_some() || parts.fragment().is_some() {
        return Err(wrong("the URL of an upstream ends with its path: no `?` and no `#`".to_owned()));
    }
    Ok(url)
}

fn document<'u>(row: &'u UpstreamRow, schema: Option<&'static str>) -> Document<'u> {
    let terms = &row.terms;
    Document {
        schema,
        name: terms.name.as_str(),
        url: terms.url.to_string(),
        keys: &terms.keys,
        priority: terms.priority,
        names: terms.names.iter().map(Pattern::as_str).collect(),
        names_not: terms.names_not.iter().map(Pattern::as_str).collect(),
        redirects: terms.redirects.iter().map(ToString::to_string).collect(),
        budget_milliseconds: terms.budget_milliseconds,
        created: row.created,
    }
}

/// What it is, and how it has been answering since the server started.
fn with_state(upstream: &Upstream) -> Result<Value, Failure> {
    let document = serde_json::to_value(document(&upstream.row, None));
    let mut document = document.map_err(|error| Failure::Internal { detail: error.to_string() })?;
    let breaker = upstream.breaker(Instant::now());
    let (paths, bytes) = upstream.counts.pulled();
    let (failure, refusal) = upstream.last();
    let answers: Map<String, Value> =
        upstream.counts.answers().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    if let Some(map) = document.as_object_mut() {
        map.insert("breaker".to_owned(), breaker.word.into());
        map.insert("failures_in_a_row".to_owned(), breaker.failures.into());
        map.insert("open_for_seconds".to_owned(), breaker.seconds_left.into());
        map.insert("answers".to_owned(), answers.into());
        map.insert("pulled".to_owned(), json!({ "paths": paths, "bytes": bytes }));
        map.insert("last_failure".to_owned(), event(failure));
        map.insert("last_refusal".to_owned(), event(refusal));
    }
    Ok(document)
}

fn event(event: Option<Event>) -> Value {
    event.map_or(Value::Null, |event| json!({ "at": event.at, "path": event.path.to_string(), "what": event.what }))
}
