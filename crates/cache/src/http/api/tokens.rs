//! Tokens: made, listed, revoked.

use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::caches::space_name;
use super::{Call, Failure, Reply, ok, reply};
use crate::access::{Right, Secret, Token};
use crate::names::{Pattern, label};

#[derive(Serialize)]
struct TokenDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'static str>,
    id: String,
    label: String,
    cache: String,
    rights: Vec<Right>,
    names: Option<String>,
    expires: Option<Timestamp>,
    created: Timestamp,
    revoked: Option<Timestamp>,
    /// Shown once, where it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize)]
struct TokensDocument {
    schema: &'static str,
    tokens: Vec<TokenDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    label: String,
    cache: String,
    rights: Vec<Right>,
    names: Option<String>,
    expires: Option<Timestamp>,
}

const SCHEMA: &str = "aux.token/1";
/// Stands for every cache and view.
const ALL: &str = "*";

impl Call {
    pub(super) fn tokens(&self, parts: &[&str]) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        match (parts, &self.method) {
            ([], &Method::GET) => {
                let tokens = self.cache.records.tokens()?;
                let tokens = tokens.iter().map(|(_, token)| document(token, None, None)).collect();
                ok(&TokensDocument { schema: "aux.tokens/1", tokens })
            }
            ([], &Method::POST) => self.create_token(),
            ([id], &Method::DELETE) => {
                let number = id.strip_prefix('t').and_then(|number| number.parse().ok()).ok_or(Failure::NotFound)?;
                let actor = self.cache.actor(&self.caller);
                let token = self.cache.records.revoke_token(number, &actor)?.ok_or(Failure::NotFound)?;
                self.cache.reload_tokens()?;
                ok(&document(&token, Some(SCHEMA), None))
            }
            ([], _) => Err(Failure::Method { allowed: "GET, POST" }),
            ([_], _) => Err(Failure::Method { allowed: "DELETE" }),
            _ => Err(Failure::NotFound),
        }
    }

    fn create_token(&self) -> Result<Reply, Failure> {
        let wanted: NewToken = self.document()?;
        let space = match wanted.cache.as_str() {
            ALL => None,
            name => Some(self.space(space_name(name)?.as_str(), Right::Admin)?.read().row.name.clone()),
        };
        let wrong = |what: &str| Failure::refused("name", what.to_owned());
        let names =
            wanted.names.as_deref().map(|names| Pattern::parse(names).ok_or_else(|| wrong("`names` is no pattern")));
        let mut rights = wanted.rights;
        rights.sort_unstable();
        rights.dedup();
        if rights.is_empty() {
            return Err(wrong("`rights` names none"));
        }
        let now = self.cache.now();
        if wanted.expires.is_some_and(|expires| expires <= now) {
            return Err(wrong("`expires` lies in the past"));
        }
        let token = Token {
            number: 0,
            label: label(&wanted.label).ok_or_else(|| wrong("`label` is not one line of 1 to 200 characters"))?,
            space,
            rights,
            names: names.transpose()?,
            created: now,
            expires: wanted.expires,
            revoked: None,
        };
        let random = self.cache.random().ok_or_else(|| Failure::Internal { detail: "no randomness".to_owned() })?;
        let secret = Secret::new(&random);
        let token = self.cache.records.create_token(secret.hash(), &token, &self.cache.actor(&self.caller))?;
        self.cache.reload_tokens()?;
        reply(StatusCode::CREATED, &document(&token, Some(SCHEMA), Some(secret.expose().to_owned())))
    }
}

fn document(token: &Token, schema: Option<&'static str>, secret: Option<String>) -> TokenDocument {
    TokenDocument {
        schema,
        id: token.id(),
        label: token.label.clone(),
        cache: token.space.as_ref().map_or_else(|| ALL.to_owned(), ToString::to_string),
        rights: token.rights.clone(),
        names: token.names.as_ref().map(|names| names.as_str().to_owned()),
        expires: token.expires,
        created: token.created,
        revoked: token.revoked,
        token: secret,
    }
}
