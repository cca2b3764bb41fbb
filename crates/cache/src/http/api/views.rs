//! Views: made, given a policy, promoted into and rolled back.

use aux_core::limits::{CACHE_PATHS_MAX, CACHE_ROWS_MAX};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caches::{path_hash, path_name, priority, space_name};
use super::{Call, Failure, Reply, ok, reply};
use crate::access::Right;
use crate::catalogue::SharedSpace;
use crate::names::{PathHash, label};
use crate::policy::Policy;
use crate::promote::{Promotion, Refusal, Wish};
use crate::records::{Decision, NewSpace, To};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewView {
    name: String,
    source: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    anonymous: bool,
    #[serde(default = "priority")]
    priority: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromotionWish {
    #[serde(default)]
    paths: Vec<String>,
    lock: Option<String>,
    sbom: Option<String>,
    #[serde(default = "yes")]
    closure: bool,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

pub(super) fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackWish {
    to: Edition,
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Edition {
    Number(i64),
    At(Timestamp),
}

#[derive(Serialize)]
pub(super) struct RefusalDocument {
    path: String,
    rule: String,
    reason: String,
    dependency_path: Vec<String>,
}

impl From<Refusal> for RefusalDocument {
    fn from(Refusal { path, rule, reason, dependency_path }: Refusal) -> Self {
        Self { path, rule, reason, dependency_path }
    }
}

impl Call {
    pub(super) fn views(&self, parts: &[&str]) -> Result<Reply, Failure> {
        match (parts, &self.method) {
            ([], &Method::GET) => self.list_views(),
            ([], &Method::POST) => self.create_view(),
            ([name], &Method::GET) => {
                let view = self.view(name, Right::Read)?;
                ok(&self.view_document(&view, true)?)
            }
            ([name, "policy"], &Method::PUT) => self.set_policy(name),
            ([name, "promote"], &Method::POST) => self.promote(name),
            ([name, "rollback"], &Method::POST) => self.roll_back(name),
            ([name, "decisions"], &Method::GET) => self.decisions(name),
            ([] | [_], _) => Err(Failure::Method { allowed: "GET, POST" }),
            ([name, "policy", "test"], &Method::POST) => self.test_policy(name),
            ([_, "policy"], _) => Err(Failure::Method { allowed: "PUT" }),
            ([_, "promote" | "rollback"] | [_, "policy", "test"], _) => Err(Failure::Method { allowed: "POST" }),
            ([_, "decisions"], _) => Err(Failure::Method { allowed: "GET" }),
            _ => Err(Failure::NotFound),
        }
    }

    pub(super) fn view(&self, name: &str, right: Right) -> Result<SharedSpace, Failure> {
        let space = self.space(name, right)?;
        let is_view = space.read().row.source.is_some();
        if is_view { Ok(space) } else { Err(Failure::refused("no-view", format!("{name} is a cache, and not a view"))) }
    }

    fn list_views(&self) -> Result<Reply, Failure> {
        let may_read = |space: &SharedSpace| {
            let space = space.read();
            space.row.source.is_some() && self.caller.may(Right::Read, Some(&space.row.name)).is_ok()
        };
        let spaces = self.cache.catalogue.all();
        let views = spaces.iter().filter(|space| may_read(space)).map(|space| self.view_document(space, false));
        ok(&json!({ "schema": "aux.views/1", "views": views.collect::<Result<Vec<_>, _>>()? }))
    }

    fn create_view(&self) -> Result<Reply, Failure> {
        self.may_all(Right::Admin)?;
        let wanted: NewView = self.document()?;
        Policy::parse(&wanted.policy).map_err(|error| Failure::refused("policy", error.to_string()))?;
        let source = self.space(space_name(&wanted.source)?.as_str(), Right::Admin)?.row();
        if source.source.is_some() {
            return Err(Failure::refused("name", format!("{} is a view itself", wanted.source)));
        }
        let _views = self.cache.changing_views()?;
        let view = self.make(&NewSpace {
            name: space_name(&wanted.name)?,
            source: Some(source.number),
            anonymous: wanted.anonymous,
            signs: true,
            keys: Vec::new(),
            priority: wanted.priority,
            policy: wanted.policy,
        })?;
        self.cache.judge_view(&view)?;
        reply(StatusCode::CREATED, &self.view_document(&view, true)?)
    }

    fn promote(&self, name: &str) -> Result<Reply, Failure> {
        let view = self.view(name, Right::Promote)?;
        let wanted: PromotionWish = self.document()?;
        if wanted.paths.is_empty() && wanted.lock.is_none() {
            return Err(Failure::malformed("neither `paths` nor `lock` names anything"));
        }
        let wish = Wish {
            roots: roots(&wanted.paths)?,
            lock: wanted.lock,
            sbom: wanted.sbom,
            with_closure: wanted.closure,
            is_partial: wanted.partial,
            is_dry: wanted.dry_run,
            reason: wanted.reason.as_deref().map(one_line).transpose()?,
        };
        let promotion = self.cache.promote(&view, &wish, &self.caller)?;
        ok(&promotion_document(name, promotion))
    }

    fn roll_back(&self, name: &str) -> Result<Reply, Failure> {
        let view = self.view(name, Right::Promote)?;
        let wanted: RollbackWish = self.document()?;
        let to = match wanted.to {
            Edition::Number(number) => To::Number(number),
            Edition::At(at) => To::At(at),
        };
        let how = (one_line(&wanted.reason)?, wanted.dry_run);
        let editing = self.cache.roll_back(&view, to, (&how.0, how.1), &self.caller)?.ok_or(Failure::NotFound)?;
        ok(&json!({
            "schema": "aux.rollback/1",
            "view": name,
            "edition": editing.edition,
            "added": editing.added,
            "removed": editing.removed,
        }))
    }

    fn decisions(&self, name: &str) -> Result<Reply, Failure> {
        let view = self.view(name, Right::Read)?;
        let (after, limit) = self.page()?;
        let number = view.read().row.number;
        let decisions = self.cache.records.decisions(number, after, limit)?;
        let decisions: Vec<Value> = decisions.iter().map(|decision| decision_document(name, decision)).collect();
        ok(&json!({ "schema": "aux.decisions/1", "decisions": decisions }))
    }

    pub(super) fn view_document(&self, view: &SharedSpace, is_whole: bool) -> Result<Value, Failure> {
        let verdict = self.cache.verdict(view);
        let row = view.row();
        let source = row.source.and_then(|number| self.cache.catalogue.numbered(number));
        let affected = verdict.iter().flat_map(|verdict| &verdict.affected).map(|one| {
            json!({ "path": one.path, "id": one.id, "severity": one.severity, "state": one.state,
                    "dependency_path": one.dependency_path, "fixed_versions": one.fixed_versions })
        });
        let feed = verdict.as_ref().and_then(|verdict| verdict.feed);
        let mut document = json!({
            "schema": "aux.view/1",
            "name": row.name.as_str(),
            "source": source.map(|source| source.read().row.name.to_string()),
            "anonymous": row.anonymous,
            "priority": row.priority,
            "edition": self.cache.records.newest_edition(row.number)?,
            "paths": view.read().paths_count(),
            "nar_bytes": view.read().nar_bytes(),
            "verdict": verdict.as_ref().map_or("unknown", |verdict| verdict.verdict),
            "judged": verdict.as_ref().map(|verdict| verdict.judged),
            "feed": feed.map(|(serial, built)| json!({ "serial": serial, "built": built })),
            "problems": verdict.as_ref().map(|verdict| verdict.problems.clone()).unwrap_or_default(),
            "affected": affected.collect::<Vec<_>>(),
        });
        if is_whole && let Some(map) = document.as_object_mut() {
            let editions = self.cache.records.editions(row.number, CACHE_ROWS_MAX)?;
            let editions = editions.iter().map(|one| {
                json!({ "number": one.number, "at": one.at, "act": one.act, "by": one.by, "reason": one.reason,
                        "added": one.added, "removed": one.removed })
            });
            map.insert("policy".to_owned(), row.policy.into());
            map.insert("editions".to_owned(), editions.collect::<Vec<_>>().into());
        }
        Ok(document)
    }
}

/// Paths as a client names them.
pub(super) fn roots(paths: &[String]) -> Result<Vec<(PathHash, Option<String>)>, Failure> {
    if paths.len() > CACHE_PATHS_MAX {
        return Err(Failure::TooLarge);
    }
    paths.iter().map(|path| path_hash(path).map(|hash| (hash, path_name(path)))).collect()
}

fn promotion_document(view: &str, promotion: Promotion) -> Value {
    let refused: Vec<RefusalDocument> = promotion.refused.into_iter().map(RefusalDocument::from).collect();
    json!({
        "schema": "aux.promotion/1",
        "view": view,
        "outcome": promotion.outcome,
        "edition": promotion.edition,
        "decision": promotion.decision,
        "admitted": promotion.admitted,
        "present": promotion.present,
        "refused": refused,
    })
}

fn decision_document(view: &str, decision: &Decision) -> Value {
    let paths = decision.judgements.iter().map(|one| {
        json!({ "path": one.base, "admitted": one.admitted, "evidence": one.evidence.lines().collect::<Vec<_>>() })
    });
    json!({
        "number": decision.number,
        "at": decision.at,
        "by": decision.by,
        "view": view,
        "act": "promote",
        "reason": decision.reason,
        "outcome": decision.outcome,
        "edition": decision.edition,
        "policy": decision.policy,
        "feed": decision.feed,
        "paths": paths.collect::<Vec<_>>(),
    })
}

/// A reason, as a person gives it.
pub(super) fn one_line(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::refused("name", "`reason` is not one line of 1 to 200 characters");
    label(text).ok_or_else(wrong)
}
