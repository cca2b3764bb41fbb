//! Policies of views: given, and tried out before they are.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::views::{RefusalDocument, roots, yes};
use super::{Call, Failure, Reply, ok};
use crate::access::Right;
use crate::policy::{Outcome, Policy, Ruling};
use crate::promote::{Refusal, Wish};
use crate::trial::{Trial, Tried};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    policy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialWish {
    policy: String,
    #[serde(default)]
    paths: Vec<String>,
    lock: Option<String>,
    sbom: Option<String>,
    #[serde(default = "yes")]
    closure: bool,
}

#[derive(Serialize)]
struct TriedDocument {
    path: String,
    served: bool,
    admitted: bool,
    rules: Vec<RulingDocument>,
}

#[derive(Serialize)]
struct RulingDocument {
    rule: String,
    outcome: &'static str,
    reason: String,
}

impl Call {
    pub(super) fn set_policy(&self, name: &str) -> Result<Reply, Failure> {
        let view = self.view(name, Right::Admin)?;
        let wanted: NewPolicy = self.document()?;
        Policy::parse(&wanted.policy).map_err(|error| Failure::refused("policy", error.to_string()))?;
        let _views = self.cache.changing_views()?;
        let mut row = view.row();
        row.policy = wanted.policy;
        let what = format!("policy {}", row.policy_digest());
        self.cache.records.change_space(&row, &self.cache.actor(&self.caller), &what)?;
        self.cache.reload(&row)?;
        self.cache.judge_view(&view)?;
        ok(&self.view_document(&view, true)?)
    }

    /// Says what a policy would, and changes nothing. It tells of paths of the source what a promotion tells, and is for who may
    /// promote.
    pub(super) fn test_policy(&self, name: &str) -> Result<Reply, Failure> {
        let view = self.view(name, Right::Promote)?;
        let wanted: TrialWish = self.document()?;
        let policy = Policy::parse(&wanted.policy).map_err(|error| Failure::refused("policy", error.to_string()))?;
        let wish = Wish {
            roots: roots(&wanted.paths)?,
            lock: wanted.lock,
            sbom: wanted.sbom,
            with_closure: wanted.closure,
            is_partial: false,
            is_dry: true,
            reason: None,
        };
        let trial = self.cache.try_policy(&view, &policy, &wish, &self.caller)?;
        let outcome = match (trial.admits_all(), trial.paths.is_empty()) {
            (true, true) => "nothing",
            (true, false) => "admitted",
            (false, _) => "refused",
        };
        let Trial { feed, paths, unfit } = trial;
        let refused = unfit.into_iter().chain(paths.iter().flat_map(refusals)).map(RefusalDocument::from);
        let refused: Vec<RefusalDocument> = refused.collect();
        ok(&json!({
            "schema": "aux.policy-test/1",
            "view": name,
            "outcome": outcome,
            "feed": feed.map(|(serial, built)| json!({ "serial": serial, "built": built })),
            "paths": paths.into_iter().map(TriedDocument::from).collect::<Vec<_>>(),
            "refused": refused,
        }))
    }
}

/// One for each rule that does not hold.
fn refusals(tried: &Tried) -> Vec<Refusal> {
    let refusal = |ruling: &Ruling| match &ruling.outcome {
        Outcome::Holds(_) => None,
        Outcome::Fails(reason) | Outcome::Unknown(reason) => Some(Refusal {
            path: tried.path.clone(),
            rule: ruling.rule.clone(),
            reason: reason.clone(),
            dependency_path: tried.dependency_path.clone(),
        }),
    };
    tried.rulings.iter().filter_map(refusal).collect()
}

impl From<Tried> for TriedDocument {
    fn from(tried: Tried) -> Self {
        let rules = tried.rulings.into_iter().map(|Ruling { rule, outcome }| {
            let (outcome, reason) = match outcome {
                Outcome::Holds(reason) => ("holds", reason),
                Outcome::Fails(reason) => ("fails", reason),
                Outcome::Unknown(reason) => ("unknown", reason),
            };
            RulingDocument { rule, outcome, reason }
        });
        Self { path: tried.path, served: tried.is_served, admitted: tried.is_admitted, rules: rules.collect() }
    }
}
