//! The verdict of a view: whether its rules still hold for what it serves, made again whenever the feed is another.

use std::collections::BTreeSet;

use aux_nix::NarInfo;
use jiff::Timestamp;

use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::dependencies::Ways;
use crate::feed::Findings;
use crate::policy::{Audited, Condition, Facts, NoBuilders, Policy, WhenAffected, judge};
use crate::promote::{PromoteError, audited, view_row};
use crate::records::Actor;

/// What holds of a view.
#[derive(Debug, Clone)]
pub struct ViewVerdict {
    /// `pass`, `fail`, `unknown`, or `unjudged` where no rule asks.
    pub verdict: &'static str,
    pub judged: Timestamp,
    /// Serial and the moment it was built.
    pub feed: Option<(u64, Timestamp)>,
    pub problems: Vec<String>,
    pub affected: Vec<Affected>,
}

/// A served path that a rule is against now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    pub path: String,
    pub id: String,
    pub severity: &'static str,
    pub state: &'static str,
    pub dependency_path: Vec<String>,
    pub fixed_versions: Vec<String>,
}

impl Cache {
    /// Judges every view again where the feed is another than at the last time.
    pub fn follow_feed(&self) {
        if !self.feed.has_changed(self.now()) {
            return;
        }
        for space in self.catalogue.all() {
            let _views = match self.changing_views() {
                Ok(views) => views,
                Err(error) => {
                    tracing::error!("views cannot be judged: {error}");
                    self.feed.forget();
                    return;
                }
            };
            if space.read().row.source.is_none() {
                continue;
            }
            if let Err(error) = self.judge_view(&space).and_then(|()| self.withdraw_affected(&space)) {
                tracing::error!("the view {} cannot be judged: {error}", space.read().row.name);
            }
        }
    }

    /// What was found of a view last; `None` before it was judged at all.
    pub fn verdict(&self, view: &SharedSpace) -> Option<ViewVerdict> {
        let number = view.read().row.number;
        self.verdicts().get(&number).cloned()
    }

    /// Judges a view, for somebody who holds others back from changing it.
    pub(crate) fn judge_view(&self, view: &SharedSpace) -> Result<(), PromoteError> {
        let row = view_row(view)?;
        let policy = Policy::parse(&row.policy)?.audited();
        let mut made = ViewVerdict {
            verdict: "unjudged",
            judged: self.now(),
            feed: None,
            problems: Vec::new(),
            affected: Vec::new(),
        };
        if !policy.rules.is_empty() {
            let paths = self.records.visible(&row)?;
            let infos = paths.iter().map(|path| NarInfo::parse(path.narinfo.as_bytes()));
            let infos = infos.collect::<Result<Vec<_>, _>>()?;
            let findings = self.findings(&policy, &infos.iter().map(|info| &info.path).collect::<Vec<_>>());
            fill(&mut made, &policy, &infos, &findings);
        }
        let before = self.verdicts().insert(row.number, made.clone());
        if before.is_none_or(|before| before.verdict != made.verdict || before.affected != made.affected) {
            tracing::info!("view {}: {}, {} affected", row.name, made.verdict, made.affected.len());
        }
        Ok(())
    }

    /// Withdraws what is affected, where the policy says so.
    fn withdraw_affected(&self, view: &SharedSpace) -> Result<(), PromoteError> {
        let row = view_row(view)?;
        if Policy::parse(&row.policy)?.when_affected != WhenAffected::Withdraw {
            return Ok(());
        }
        let affected = self.verdict(view).map(|verdict| verdict.affected).unwrap_or_default();
        if affected.is_empty() {
            return Ok(());
        }
        let mut done = BTreeSet::new();
        for one in affected {
            let hash = one.path.split('-').next().and_then(crate::names::PathHash::parse);
            let path = hash.and_then(|hash| Some((view.read().path(hash)?.number, hash)));
            let Some((number, hash)) = path.filter(|_| done.insert(one.path.clone())) else { continue };
            let reason = format!("{} ({}) {}", one.id, one.severity, one.state);
            let actor = Actor { by: "policy".to_owned(), now: self.now() };
            self.records.withdraw(&row, (number, hash, &one.path), &reason, &actor)?;
        }
        self.reload(&row)?;
        self.judge_view(view)
    }
}

fn fill(made: &mut ViewVerdict, policy: &Policy, infos: &[NarInfo], findings: &Findings) {
    match findings {
        Findings::Unknown(why) => {
            made.verdict = "unknown";
            made.problems.push(why.clone());
            return;
        }
        Findings::Known { serial, built, .. } => made.feed = Some((*serial, *built)),
    }
    let ways = Ways::from(infos, &BTreeSet::new());
    let mut is_unknown = false;
    for info in infos {
        let audit = audited(findings, &info.path);
        let (_, broken) = judge(policy, &Facts { info, audit, builders: &NoBuilders, sbom: None });
        for one in broken {
            let rule = policy.rules.iter().find(|rule| rule.name == one.rule);
            let gates = rule.iter().flat_map(|rule| &rule.any).filter_map(|condition| match condition {
                Condition::Audit(gate) => Some(gate),
                _ => None,
            });
            let gates: Vec<_> = gates.collect();
            if one.is_unknown {
                is_unknown = true;
                made.problems.push(format!("{}: {}: {}", info.path, one.rule, one.reason));
            }
            let Audited::Findings(found) = audit else { continue };
            for finding in found.iter().filter(|finding| gates.iter().any(|gate| gate.fails(finding))) {
                let affected = Affected {
                    path: info.path.to_string(),
                    id: finding.id.clone(),
                    severity: finding.severity.as_str(),
                    state: finding.state.as_str(),
                    dependency_path: ways.to(&info.path),
                    fixed_versions: finding.fixed_versions.clone(),
                };
                if !made.affected.contains(&affected) {
                    made.affected.push(affected);
                }
            }
        }
    }
    made.verdict = match (is_unknown, made.affected.is_empty()) {
        (_, false) => "fail",
        (true, true) => "unknown",
        (false, true) => "pass",
    };
}
