//! Promotion: paths of a cache become visible in a view, where its policy lets them, and every answer is written down.

use std::collections::{BTreeMap, BTreeSet};

use crate::records::RecordsError;
use aux_nix::content_address::Method;
use aux_nix::narinfo::NarInfoError;
use aux_nix::{BaseName, ContentAddress, Hash, NarInfo};
use serde_json::Value;

use crate::access::Caller;
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::dependencies::Ways;
use crate::feed::Findings;
use crate::names::PathHash;
use crate::policy::{Audited, Condition, Facts, NoBuilders, Policy, PolicyError, Sbom, judge};
use crate::records::{Decision, Judgement, PathRow, SpaceRow};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wish {
    /// By hash, with the last part of the store path where the client named it whole.
    pub roots: Vec<(PathHash, Option<String>)>,
    /// A `flake.lock`, for the sources it locks.
    pub lock: Option<String>,
    /// An SBOM, for the licences it says.
    pub sbom: Option<String>,
    pub with_closure: bool,
    /// Roots whose closure holds are promoted also where others do not.
    pub is_partial: bool,
    pub is_dry: bool,
    pub reason: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Promotion {
    pub outcome: &'static str,
    pub edition: Option<i64>,
    pub decision: Option<i64>,
    pub admitted: Vec<String>,
    pub present: usize,
    pub refused: Vec<Refusal>,
}

/// A rule that does not hold for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub path: String,
    pub rule: String,
    pub reason: String,
    pub dependency_path: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    #[error("it is a cache, and not a view")]
    NoView,
    #[error("the flake.lock cannot be read: {0}")]
    Lock(String),
    #[error("the SBOM cannot be read: {0}")]
    Sbom(String),
    #[error("the token is not for {0}")]
    Name(String),
    #[error("the database ended meanwhile, and began again")]
    Interrupted,
    #[error("the view's policy cannot be read: {0}")]
    Policy(#[from] PolicyError),
    #[error("a narinfo that is kept cannot be read: {0}")]
    NarInfo(#[from] NarInfoError),
    #[error(transparent)]
    Database(#[from] RecordsError),
}

/// What a promotion looks at: the paths that are wanted, those of them that are new, those that the view has, and
/// refusals that no rule made.
pub(crate) struct Candidates {
    pub(crate) roots: BTreeSet<BaseName>,
    rows: BTreeMap<BaseName, PathRow>,
    pub(crate) infos: Vec<NarInfo>,
    pub(crate) present: Vec<NarInfo>,
    pub(crate) refused: Vec<Refusal>,
}

impl Cache {
    /// Promotes into a view. A refusal is an answer, and written down as well.
    pub fn promote(&self, view: &SharedSpace, wish: &Wish, caller: &Caller) -> Result<Promotion, PromoteError> {
        let sbom = self.sbom(wish)?;
        let views = self.changing_views()?;
        let keeping = self.keeping()?;
        let row = view.row();
        let source = row.source.and_then(|number| self.catalogue.numbered(number)).ok_or(PromoteError::NoView)?;
        let policy = Policy::parse(&row.policy)?;
        let mut found = self.candidates(view, &source, wish)?;
        found.may_all_be_named_by(caller)?;
        let (mut judgements, feed) = self.judge_all(&policy, sbom.as_ref(), &mut found);
        let admitted = admitted(&found, wish.is_partial);
        for judgement in &mut judgements {
            judgement.admitted = admitted.contains(&judgement.base);
        }
        judgements.extend(unjudged(&found, &judgements));
        let outcome = match (found.refused.is_empty(), admitted.is_empty()) {
            (true, true) => "nothing",
            (true, false) => "promoted",
            (false, false) => "partly",
            (false, true) => "refused",
        };
        let mut promotion = Promotion {
            outcome,
            edition: None,
            decision: None,
            admitted: admitted.iter().cloned().collect(),
            present: found.present.len(),
            refused: found.refused,
        };
        if wish.is_dry {
            return Ok(promotion);
        }
        let mut signatures = Vec::new();
        for (info, row) in found.infos.iter().filter_map(|info| Some((info, found.rows.get(&info.path)?))) {
            if admitted.contains(&row.base) {
                let sign = || self.keys.sign(info);
                signatures.push((row.number, row.signature.clone().unwrap_or_else(sign)));
            }
        }
        let actor = self.actor(caller);
        let decision = Decision {
            number: 0,
            at: actor.now,
            by: actor.by.clone(),
            reason: wish.reason.clone(),
            outcome: outcome.to_owned(),
            edition: None,
            policy: row.policy_digest(),
            feed,
            judgements,
        };
        // The lock on views is another connection's; it must have lived until here.
        if !views.is_held() {
            return Err(PromoteError::Interrupted);
        }
        let (number, edition) = keeping.promote(&row, &decision, &signatures, &actor)?;
        (promotion.decision, promotion.edition) = (Some(number), edition);
        drop(keeping);
        if edition.is_some() {
            self.reload(&row)?;
            self.judge_view(view)?;
        }
        Ok(promotion)
    }

    /// The wanted paths, by what the source holds and the view has.
    pub(crate) fn candidates(
        &self,
        view: &SharedSpace,
        source: &SharedSpace,
        wish: &Wish,
    ) -> Result<Candidates, PromoteError> {
        let mut refused = Vec::new();
        let mut wanted = wish.roots.clone();
        if let Some(lock) = &wish.lock {
            wanted.extend(self.locked(lock)?.into_iter().map(|hash| (hash, None)));
        }
        let not_there = |path: String| Refusal {
            path,
            rule: "in source".to_owned(),
            reason: format!("{} does not serve it", source.read().row.name),
            dependency_path: Vec::new(),
        };
        let mut numbers = Vec::new();
        let mut named = BTreeMap::new();
        for (hash, base) in wanted {
            match source.read().path(hash) {
                Some(path) => {
                    numbers.push(path.number);
                    named.extend(base.map(|base| (hash, base)));
                }
                None => refused.push(not_there(base.unwrap_or_else(|| hash.to_string()))),
            }
        }
        let closure = self.records.closure(&numbers)?;
        // A name that only shares its hash with what is there is another path, which nobody has.
        refused.extend(closure.iter().filter_map(|(row, _)| {
            let base = named.get(&row.hash).filter(|base| **base != row.base)?;
            Some(not_there(base.clone()))
        }));
        let is_root =
            |row: &PathRow| numbers.contains(&row.number) && named.get(&row.hash).is_none_or(|base| *base == row.base);
        let mut found = Candidates {
            roots: BTreeSet::new(),
            rows: BTreeMap::new(),
            infos: Vec::new(),
            present: Vec::new(),
            refused,
        };
        for (row, _) in closure {
            let info = NarInfo::parse(row.narinfo.as_bytes())?;
            if is_root(&row) {
                found.roots.insert(info.path.clone());
            }
            if view.read().path(row.hash).is_some() {
                found.present.push(info);
                continue;
            }
            if !wish.with_closure && !is_root(&row) {
                // What comes not along must be there; it is not, so whoever needs it is refused below.
                continue;
            }
            found.rows.insert(info.path.clone(), row);
            found.infos.push(info);
        }
        found.refuse_unfit(view, source);
        Ok(found)
    }

    /// The store paths of the sources that a `flake.lock` locks: fixed output, recursive, named `source`.
    fn locked(&self, lock: &str) -> Result<Vec<PathHash>, PromoteError> {
        let wrong = |what: &str| PromoteError::Lock(what.to_owned());
        let document: Value = serde_json::from_str(lock).map_err(|error| PromoteError::Lock(error.to_string()))?;
        let nodes = document.get("nodes").and_then(Value::as_object).ok_or_else(|| wrong("it has no `nodes`"))?;
        let mut hashes = Vec::new();
        for (name, node) in nodes {
            let Some(locked) = node.get("locked") else { continue };
            let hash = locked.get("narHash").and_then(Value::as_str);
            let hash = hash.ok_or_else(|| PromoteError::Lock(format!("`{name}` has no `narHash`")))?;
            let hash = Hash::parse(hash).map_err(|error| PromoteError::Lock(format!("`{name}`: {error}")))?;
            let address = ContentAddress { method: Method::Recursive, hash };
            let path = address.store_path(self.store_directory(), "source", &BTreeSet::new(), false);
            let path = path.map_err(|error| PromoteError::Lock(format!("`{name}`: {error}")))?;
            hashes.extend(PathHash::of(&path));
        }
        if hashes.is_empty() { Err(wrong("it locks no input")) } else { Ok(hashes) }
    }

    /// What the SBOM says that came with a wish.
    pub(crate) fn sbom(&self, wish: &Wish) -> Result<Option<Sbom>, PromoteError> {
        let sbom = wish.sbom.as_deref().map(|text| Sbom::parse(text, self.store_directory()));
        sbom.transpose().map_err(PromoteError::Sbom)
    }

    /// Judges every candidate. Returns what is to be written down, and which feed it rests on.
    fn judge_all(
        &self,
        policy: &Policy,
        sbom: Option<&Sbom>,
        found: &mut Candidates,
    ) -> (Vec<Judgement>, Option<String>) {
        let paths: Vec<&BaseName> = found.infos.iter().map(|info| &info.path).collect();
        let findings = self.findings(policy, &paths);
        let roots: BTreeSet<&BaseName> = found.roots.iter().collect();
        let ways = Ways::from(&found.infos, &roots);
        let mut judgements = Vec::new();
        for info in &found.infos {
            let audit = audited(&findings, &info.path);
            let (mut evidence, broken) = judge(policy, &Facts { info, audit, builders: &NoBuilders, sbom });
            let path = info.path.to_string();
            let before = found.refused.iter().filter(|refusal| refusal.path == path);
            evidence.extend(before.map(|refusal| format!("{}: no: {}", refusal.rule, refusal.reason)));
            for one in broken {
                found.refused.push(Refusal {
                    path: path.clone(),
                    rule: one.rule,
                    reason: one.reason,
                    dependency_path: ways.to(&info.path),
                });
            }
            let hash = found.rows.get(&info.path).map_or(PathHash([0; 20]), |row| row.hash);
            judgements.push(Judgement { hash, base: path, admitted: false, evidence: evidence.join("\n") });
        }
        let feed = match &findings {
            Findings::Known { serial, built, .. } if policy.asks_audit() => {
                Some(format!("serial {serial}, built {built}"))
            }
            _ => None,
        };
        (judgements, feed)
    }

    /// What the feed says, if the policy asks.
    pub(crate) fn findings(&self, policy: &Policy, paths: &[&BaseName]) -> Findings {
        if policy.asks_audit() {
            return self.feed.findings(paths, policy.feed_age_days_max, self.now());
        }
        Findings::Unknown("no rule asks".to_owned())
    }
}

/// Refusals of what was not there to be judged.
fn unjudged(found: &Candidates, judgements: &[Judgement]) -> Vec<Judgement> {
    let judged: BTreeSet<&str> = judgements.iter().map(|judgement| judgement.base.as_str()).collect();
    let present = |path: &str| found.present.iter().any(|info| info.path.as_str() == path);
    let left =
        found.refused.iter().filter(|refusal| !judged.contains(refusal.path.as_str()) && !present(&refusal.path));
    let judgement = |refusal: &Refusal| {
        let hash = PathHash::parse(refusal.path.get(..32)?)?;
        let evidence = format!("{}: no: {}", refusal.rule, refusal.reason);
        Some(Judgement { hash, base: refusal.path.clone(), admitted: false, evidence })
    };
    left.filter_map(judgement).collect()
}

/// What findings say of one path.
pub(crate) fn audited<'f>(findings: &'f Findings, path: &BaseName) -> Audited<'f> {
    match findings {
        Findings::Unknown(why) => Audited::Unknown(why),
        Findings::Known { by_path, .. } => {
            Audited::Findings(by_path.get(path.as_str()).map(Vec::as_slice).unwrap_or_default())
        }
    }
}

impl Policy {
    pub(crate) fn asks_audit(&self) -> bool {
        self.rules.iter().flat_map(|rule| &rule.any).any(|condition| matches!(condition, Condition::Audit(_)))
    }
}

impl Candidates {
    /// Whether a token is for all that is asked for.
    pub(crate) fn may_all_be_named_by(&self, caller: &Caller) -> Result<(), PromoteError> {
        match self.roots.iter().find(|root| caller.may_name(root.name()).is_err()) {
            Some(root) => Err(PromoteError::Name(root.to_string())),
            None => Ok(()),
        }
    }

    /// Refuses what is withdrawn, and what would not be whole in the view.
    fn refuse_unfit(&mut self, view: &SharedSpace, source: &SharedSpace) {
        let roots: BTreeSet<&BaseName> = self.roots.iter().collect();
        let ways = Ways::from(&self.infos, &roots);
        let mut refused = Vec::new();
        for info in &self.infos {
            let Some(row) = self.rows.get(&info.path) else { continue };
            let mut refuse = |rule: &str, reason: String| {
                let (path, dependency_path) = (row.base.clone(), ways.to(&info.path));
                refused.push(Refusal { path, rule: rule.to_owned(), reason, dependency_path });
            };
            let withdrawn = |space: &SharedSpace| space.read().withdrawn(row.hash).map(str::to_owned);
            if let Some(reason) = withdrawn(view).or_else(|| withdrawn(source)) {
                refuse("withdrawn", reason);
            }
            let is_there = |path: &&BaseName| {
                self.rows.contains_key(path) || PathHash::of(path).is_some_and(|hash| view.read().path(hash).is_some())
            };
            if let Some(missing) = info.references.iter().find(|path| !is_there(path)) {
                refuse("closure", format!("it needs {missing}, which is neither promoted along nor in the view"));
            }
        }
        self.refused.append(&mut refused);
    }
}

/// What may be put into the view: everything, or, where some is refused and a part is wanted, the closures of the roots
/// that need nothing of that.
fn admitted(found: &Candidates, is_partial: bool) -> BTreeSet<String> {
    if found.refused.is_empty() {
        return found.infos.iter().map(|info| info.path.to_string()).collect();
    }
    if !is_partial {
        return BTreeSet::new();
    }
    let refused: BTreeSet<&str> = found.refused.iter().map(|refusal| refusal.path.as_str()).collect();
    let known: BTreeMap<&BaseName, &NarInfo> = found.infos.iter().map(|info| (&info.path, info)).collect();
    let mut admitted = BTreeSet::new();
    for root in &found.roots {
        let (mut seen, mut queue) = (BTreeSet::from([root]), vec![root]);
        while let Some(info) = queue.pop().and_then(|path| known.get(path)) {
            queue.extend(info.references.iter().filter(|path| known.contains_key(path) && seen.insert(*path)));
        }
        if !seen.iter().any(|path| refused.contains(path.as_str())) {
            admitted.extend(seen.into_iter().filter(|path| known.contains_key(path)).map(ToString::to_string));
        }
    }
    admitted
}

/// The view as it is set up, for somebody who changes it.
pub(crate) fn view_row(space: &SharedSpace) -> Result<SpaceRow, PromoteError> {
    let row = space.row();
    if row.source.is_some() { Ok(row) } else { Err(PromoteError::NoView) }
}
