//! Withdrawal, its end, and why a path is or is not served.

use serde::Deserialize;
use serde_json::{Value, json};

use super::caches::path_hash;
use super::views::one_line;
use super::{Call, Failure, Reply, ok};
use crate::access::Right;
use crate::withdraw::Hidden;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    path: String,
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

impl Call {
    pub(super) fn withdraw(&self, name: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Promote)?;
        let wish: Wish = self.document()?;
        let (hash, reason) = (path_hash(&wish.path)?, one_line(&wish.reason)?);
        let hidden = self.cache.withdraw(&space, hash, (&reason, wish.dry_run), &self.caller)?;
        ok(&document(&hidden.ok_or(Failure::NotFound)?, &reason))
    }

    pub(super) fn restore(&self, name: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Promote)?;
        let wish: Wish = self.document()?;
        if wish.dry_run {
            return Err(Failure::malformed("`dry_run` says nothing about `restore`"));
        }
        let (hash, reason) = (path_hash(&wish.path)?, one_line(&wish.reason)?);
        let shown = self.cache.restore(&space, hash, &reason, &self.caller)?;
        ok(&document(&shown.ok_or(Failure::NotFound)?, &reason))
    }

    pub(super) fn why(&self, name: &str, path: &str) -> Result<Reply, Failure> {
        let space = self.space(name, Right::Read)?;
        let why = self.cache.why(&space, path_hash(path)?)?;
        let decisions = why.decisions.iter().filter_map(|decision| {
            let judgement = decision.judgements.first()?;
            Some(json!({
                "number": decision.number,
                "at": decision.at,
                "by": decision.by,
                "reason": decision.reason,
                "admitted": judgement.admitted,
                "evidence": judgement.evidence.lines().collect::<Vec<_>>(),
            }))
        });
        let withdrawal = why.withdrawal.as_ref();
        let used = why.used.map(|at| at.strftime("%Y-%m-%d").to_string());
        ok(&json!({
            "schema": "aux.why/1",
            "cache": name,
            "path": why.path,
            "state": why.state,
            "reason": withdrawal.map(|one| &one.reason),
            "because": withdrawal.and_then(|one| one.because.as_ref()),
            "at": withdrawal.map(|one| one.at),
            "by": withdrawal.map(|one| &one.by),
            "used": used,
            "decisions": decisions.collect::<Vec<_>>(),
        }))
    }
}

fn document(hidden: &Hidden, reason: &str) -> Value {
    json!({ "schema": "aux.withdrawal/1", "path": hidden.path, "reason": reason, "also": hidden.also })
}
