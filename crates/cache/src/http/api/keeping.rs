//! What keeps order: pins, collection, the check, the trail, and what the server is.

use aux_core::limits::{CACHE_GRACE_SECONDS, CACHE_ROWS_MAX};
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caches::path_hash;
use super::{Call, Failure, Reply, ok};
use crate::access::Right;
use crate::names::Pattern;
use crate::records::{Pin, Terms, uses};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collection {
    #[serde(default)]
    dry_run: bool,
    older_than_seconds: Option<i64>,
    unused_for_days: Option<i64>,
    stored_bytes_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinWish {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Call {
    pub(super) fn status(&self) -> Result<Reply, Failure> {
        let feed = self.cache.feed.facts();
        let (objects, stored_bytes) = self.cache.records.stored()?;
        let stored_bytes = self.cache.objects.taken_bytes(stored_bytes)?;
        ok(&json!({
            "schema": "aux.server/1",
            "version": env!("CARGO_PKG_VERSION"),
            "public_key": self.cache.public_keys(),
            "feed": feed.map(|feed| match feed {
                Ok((serial, built)) => json!({ "serial": serial, "built": built, "problem": null }),
                Err(problem) => json!({ "serial": null, "built": null, "problem": problem }),
            }),
            "caches": self.cache.catalogue.all().len(),
            "objects": objects,
            "stored_bytes": stored_bytes,
            "uses_since": self.cache.records.uses_since()?,
        }))
    }

    pub(super) fn pins(&self, name: &str, pin: Option<&str>) -> Result<Reply, Failure> {
        match (pin, &self.method) {
            (None, &Method::GET) => {
                let number = self.cache_only(name, Right::Read)?.row().number;
                let pins = self.cache.records.pins(number)?;
                ok(&json!({ "schema": "aux.pins/1", "pins": pins.iter().map(document).collect::<Vec<_>>() }))
            }
            (Some(pin), &Method::PUT) => {
                let space = self.cache_only(name, Right::Push)?;
                let pin = Pattern::parse(pin).filter(|pin| !pin.as_str().contains(['*', '?']));
                let pin =
                    pin.ok_or_else(|| Failure::refused("name", "a pin's name is made of letters, digits and +-._="))?;
                let wish: PinWish = self.document()?;
                let path = space.read().path(path_hash(&wish.path)?).map(|path| path.number);
                let actor = self.cache.actor(&self.caller);
                let number = path.ok_or(Failure::NotFound)?;
                ok(&with_schema(document(&self.cache.records.pin(&space.row(), pin.as_str(), number, &actor)?)))
            }
            (Some(pin), &Method::DELETE) => {
                let row = self.cache_only(name, Right::Push)?.row();
                let pin = self.cache.records.unpin(&row, pin, &self.cache.actor(&self.caller))?;
                ok(&with_schema(document(&pin.ok_or(Failure::NotFound)?)))
            }
            (None, _) => Err(Failure::Method { allowed: "GET" }),
            (Some(_), _) => Err(Failure::Method { allowed: "PUT, DELETE" }),
        }
    }

    /// A cache, and not a view: views keep what they hold by themselves.
    pub(super) fn cache_only(&self, name: &str, right: Right) -> Result<crate::catalogue::SharedSpace, Failure> {
        let space = self.space(name, right)?;
        let is_view = space.read().row.source.is_some();
        if is_view {
            Err(Failure::refused("no-cache", format!("{name} is a view; name the cache that it is of")))
        } else {
            Ok(space)
        }
    }

    pub(super) fn collect(&self) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        let wish: Collection = self.document()?;
        let age = wish.older_than_seconds.unwrap_or(CACHE_GRACE_SECONDS);
        let before = self.cache.now().checked_sub(SignedDuration::from_secs(age)).ok().filter(|_| age >= 0);
        let before = before.ok_or_else(|| Failure::malformed("`older_than_seconds` is no age"))?;
        let unused_since = wish.unused_for_days.map(|days| {
            let since = uses::begin(uses::day(self.cache.now()).saturating_sub(days));
            let since = Timestamp::from_second(since).ok().filter(|_| days >= 0);
            since.ok_or_else(|| Failure::malformed("`unused_for_days` is no age"))
        });
        let unused_since = unused_since.transpose()?;
        let mut terms = Terms { unused_since, ..Terms::older_than(before, wish.dry_run) };
        if let Some(stored_bytes_max) = wish.stored_bytes_max {
            terms = self.cache.terms_within(stored_bytes_max, terms, &self.caller)?;
        }
        let collected = self.cache.collect(terms, &self.caller)?;
        ok(&json!({
            "schema": "aux.gc/1",
            "dry_run": wish.dry_run,
            "paths": collected.paths,
            "nar_bytes": collected.nar_bytes,
            "objects": collected.objects.len(),
            "stored_bytes": collected.stored_bytes,
            "kept": collected.kept,
            "sample": collected.sample,
            "uses_since": self.cache.records.uses_since()?,
        }))
    }

    pub(super) fn check(&self) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        let Nothing {} = self.document()?;
        let checked = self.cache.check()?;
        let problems = checked
            .problems
            .iter()
            .map(|one| json!({ "kind": one.kind, "subject": one.subject, "detail": one.detail }));
        ok(&json!({
            "schema": "aux.fsck/1",
            "clean": checked.problems.is_empty(),
            "objects": checked.objects,
            "stored_bytes": checked.stored_bytes,
            "paths": checked.paths,
            "leftovers": checked.leftovers,
            "problems": problems.collect::<Vec<_>>(),
        }))
    }

    pub(super) fn trail(&self) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        let (after, limit) = self.page()?;
        let entries = self.cache.records.trail(after, limit)?;
        let entries = entries.iter().map(|one| {
            json!({ "number": one.number, "at": one.at, "by": one.by, "act": one.act, "cache": one.cache,
                    "subject": one.subject, "detail": one.detail })
        });
        ok(&json!({ "schema": "aux.trail/1", "entries": entries.collect::<Vec<_>>() }))
    }

    /// `after` and `limit` of the query.
    pub(super) fn page(&self) -> Result<(i64, u32), Failure> {
        let (mut after, mut limit) = (0, CACHE_ROWS_MAX);
        for (name, value) in
            self.query.split('&').filter(|part| !part.is_empty()).filter_map(|part| part.split_once('='))
        {
            let wrong = || Failure::malformed(format!("`{name}` is no number here"));
            match name {
                "after" => after = value.parse().map_err(|_| wrong())?,
                "limit" => limit = value.parse::<u32>().map_err(|_| wrong())?.min(CACHE_ROWS_MAX),
                _ => return Err(Failure::malformed(format!("`{name}` is not known here"))),
            }
        }
        Ok((after, limit))
    }
}

fn document(pin: &Pin) -> Value {
    let created: Timestamp = pin.created;
    json!({ "name": pin.name, "path": pin.base, "created": created, "by": pin.by })
}

fn with_schema(mut pin: Value) -> Value {
    if let Some(map) = pin.as_object_mut() {
        map.insert("schema".to_owned(), "aux.pin/1".into());
    }
    pin
}
