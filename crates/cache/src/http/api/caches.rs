//! Caches: made, set up, and asked what of a closure they lack.

use aux_core::limits::{CACHE_CHUNKS_ASKED_MAX, CACHE_PATHS_MAX, CACHE_SPACES_MAX};
use aux_core::unhexadecimal;
use aux_nix::signature::PublicKey;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Call, Failure, Reply, ok, reply};
use crate::access::Right;
use crate::cache::PRIORITY;
use crate::catalogue::{SharedSpace, Space};
use crate::names::{PathHash, SpaceName};
use crate::records::NewSpace;

#[derive(Serialize)]
struct CacheDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'static str>,
    name: String,
    kind: &'static str,
    source: Option<String>,
    anonymous: bool,
    signs: bool,
    keys: Vec<String>,
    priority: u32,
    paths: usize,
    nar_bytes: u64,
}

#[derive(Serialize)]
struct CachesDocument {
    schema: &'static str,
    caches: Vec<CacheDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCache {
    name: String,
    #[serde(default)]
    anonymous: bool,
    #[serde(default)]
    signs: bool,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default = "priority")]
    priority: u32,
}

/// Of a cache or view for which none was asked.
pub(super) fn priority() -> u32 {
    PRIORITY
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    anonymous: Option<bool>,
    signs: Option<bool>,
    keys: Option<Vec<String>>,
    priority: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    paths: Vec<String>,
}

#[derive(Serialize)]
struct Lacking<'p> {
    schema: &'static str,
    missing: Vec<&'p str>,
    /// Views take no push; of those, the cache they are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    view_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    digests: Vec<String>,
}

#[derive(Serialize)]
struct KnownChunks<'d> {
    schema: &'static str,
    known: Vec<&'d str>,
}

impl Call {
    pub(super) fn caches(&self, parts: &[&str]) -> Result<Reply, Failure> {
        match (parts, &self.method) {
            ([], &Method::GET) => self.list_caches(),
            ([], &Method::POST) => self.create_cache(),
            ([name], &Method::GET) => {
                let space = self.space(name, Right::Read)?;
                ok(&self.cache_document(&space, Some("aux.cache/1")))
            }
            ([name], &Method::PATCH) => self.change_cache(name),
            ([name, "missing"], &Method::POST) => self.missing(name),
            ([] | [_], _) => Err(Failure::Method { allowed: "GET, POST, PATCH" }),
            ([name, "chunks"], &Method::POST) => self.known_chunks(name),
            ([_, "missing" | "chunks"], _) => Err(Failure::Method { allowed: "POST" }),
            _ => Err(Failure::NotFound),
        }
    }

    /// Those that the caller may read.
    fn list_caches(&self) -> Result<Reply, Failure> {
        let spaces = self.cache.catalogue.all();
        let may_read = |space: &&SharedSpace| self.caller.may(Right::Read, Some(&space.read().row.name)).is_ok();
        let caches = spaces.iter().filter(may_read).map(|space| self.cache_document(space, None)).collect();
        ok(&CachesDocument { schema: "aux.caches/1", caches })
    }

    fn create_cache(&self) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        let wanted: NewCache = self.document()?;
        let new = NewSpace {
            name: space_name(&wanted.name)?,
            source: None,
            anonymous: wanted.anonymous,
            signs: wanted.signs,
            keys: public_keys(&wanted.keys)?,
            priority: wanted.priority,
            policy: String::new(),
        };
        let space = self.make(&new)?;
        reply(StatusCode::CREATED, &self.cache_document(&space, Some("aux.cache/1")))
    }

    /// Makes a cache or view, and serves it.
    pub(super) fn make(&self, new: &NewSpace) -> Result<SharedSpace, Failure> {
        if self.cache.catalogue.all().len() >= CACHE_SPACES_MAX {
            let detail = format!("there are {CACHE_SPACES_MAX} caches and views already (CACHE_SPACES_MAX)");
            return Err(Failure::refused("too-many", detail));
        }
        let made = self.cache.records.create_space(new, &self.cache.actor(&self.caller))?;
        let row = made.ok_or_else(|| Failure::Exists { detail: format!("{} exists", new.name) })?;
        self.cache.catalogue.put(Space::new(row));
        self.cache.space(&new.name).ok_or(Failure::NotFound)
    }

    fn change_cache(&self, name: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Admin)?;
        let change: Change = self.document()?;
        let _views = self.cache.changing_views()?;
        let mut row = space.row();
        row.anonymous = change.anonymous.unwrap_or(row.anonymous);
        row.signs = change.signs.unwrap_or(row.signs);
        row.priority = change.priority.unwrap_or(row.priority);
        if let Some(keys) = &change.keys {
            row.keys = public_keys(keys)?;
        }
        let what = String::from_utf8_lossy(&self.body).into_owned();
        self.cache.records.change_space(&row, &self.cache.actor(&self.caller), &what)?;
        self.cache.sign_all(&row)?;
        ok(&self.cache_document(&self.space(name, Right::Admin)?, Some("aux.cache/1")))
    }

    fn missing(&self, name: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Read)?;
        let wanted: Wanted = self.document()?;
        if wanted.paths.len() > CACHE_PATHS_MAX {
            return Err(Failure::TooLarge);
        }
        let space = space.read();
        let mut missing = Vec::new();
        for path in &wanted.paths {
            if space.path(path_hash(path)?).is_none() {
                missing.push(path.as_str());
            }
        }
        let source = space.row.source.and_then(|number| self.cache.catalogue.numbered(number));
        let view_of = source.map(|source| source.read().row.name.to_string());
        ok(&Lacking { schema: "aux.missing/1", missing, view_of })
    }

    fn known_chunks(&self, name: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Push)?;
        let asked: Digests = self.document()?;
        if asked.digests.len() > CACHE_CHUNKS_ASKED_MAX {
            return Err(Failure::TooLarge);
        }
        let wrong = || Failure::refused("digest", "a digest is 64 lowercase hexadecimal digits");
        let digests = asked
            .digests
            .iter()
            .map(|digest| unhexadecimal(digest)?.try_into().ok())
            .collect::<Option<Vec<[u8; 32]>>>();
        let known = self.cache.known_chunks(&space, &digests.ok_or_else(wrong)?)?;
        let known = asked.digests.iter().zip(known).filter_map(|(digest, known)| known.then_some(digest.as_str()));
        ok(&KnownChunks { schema: "aux.chunks/1", known: known.collect() })
    }

    fn cache_document(&self, space: &SharedSpace, schema: Option<&'static str>) -> CacheDocument {
        let space = space.read();
        let source = space.row.source.and_then(|number| self.cache.catalogue.numbered(number));
        CacheDocument {
            schema,
            name: space.row.name.to_string(),
            kind: if space.row.source.is_some() { "view" } else { "cache" },
            source: source.map(|source| source.read().row.name.to_string()),
            anonymous: space.row.anonymous,
            signs: space.is_signed(),
            keys: space.row.keys.clone(),
            priority: space.row.priority,
            paths: space.paths_count(),
            nar_bytes: space.nar_bytes(),
        }
    }
}

pub(super) fn space_name(text: &str) -> Result<SpaceName, Failure> {
    let wrong = || Failure::refused("name", format!("`{text}` is not a letter or digit and up to 63 more or dashes"));
    SpaceName::parse(text).ok_or_else(wrong)
}

/// The hash of a store path, as a client names it: whole, its last part, or the hash alone.
pub(super) fn path_hash(text: &str) -> Result<PathHash, Failure> {
    let base = text.rsplit('/').next().unwrap_or(text);
    let hash = base.split('-').next().unwrap_or(base);
    PathHash::parse(hash).ok_or_else(|| Failure::refused("name", format!("`{text}` is no store path")))
}

/// The last part of a store path, where more of it than the hash is named.
pub(super) fn path_name(text: &str) -> Option<String> {
    let base = text.rsplit('/').next().unwrap_or(text);
    base.contains('-').then(|| base.to_owned())
}

pub(super) fn public_keys(texts: &[String]) -> Result<Vec<String>, Failure> {
    let key = |text: &String| match PublicKey::parse(text) {
        Ok(key) => Ok(key.to_string()),
        Err(error) => Err(Failure::refused("key", format!("`{text}` is no public key: {error}"))),
    };
    texts.iter().map(key).collect()
}
