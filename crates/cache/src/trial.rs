//! A policy that is tried: what it would say of what a view serves, or of what could be promoted into it. Nothing changes.

use std::collections::BTreeSet;

use aux_nix::NarInfo;
use jiff::Timestamp;

use crate::access::Caller;
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::dependencies::Ways;
use crate::feed::Findings;
use crate::policy::{Facts, NoBuilders, Outcome, Policy, Ruling, Sbom, rulings};
use crate::promote::{PromoteError, Refusal, Wish, audited, view_row};

/// What a policy says.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Serial of the feed it rests on, and the moment that was built; `None` where no rule asks, or nobody could tell.
    pub feed: Option<(u64, Timestamp)>,
    pub paths: Vec<Tried>,
    /// What no policy could admit: it is not in the source, withdrawn, or would not be whole.
    pub unfit: Vec<Refusal>,
}

/// A path and what every rule says of it.
#[derive(Debug)]
pub(crate) struct Tried {
    pub path: String,
    /// The view has it already.
    pub is_served: bool,
    /// Every rule holds, and nothing else is against it.
    pub is_admitted: bool,
    pub rulings: Vec<Ruling>,
    /// From a root to it.
    pub dependency_path: Vec<String>,
}

impl Trial {
    /// Whether the policy, and all that a promotion asks besides, lets everything pass.
    pub(crate) fn admits_all(&self) -> bool {
        self.unfit.is_empty() && self.paths.iter().all(|path| path.is_admitted)
    }
}

impl Cache {
    /// Tries a policy on what is wished for, of which also what is in the view already is judged; or, where nothing is named, on
    /// all that the view serves.
    pub(crate) fn try_policy(
        &self,
        view: &SharedSpace,
        policy: &Policy,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<Trial, PromoteError> {
        let row = view_row(view)?;
        let sbom = self.sbom(wish)?;
        let asked = (policy, sbom.as_ref());
        if wish.roots.is_empty() && wish.lock.is_none() {
            let paths = self.records.visible(&row)?;
            let infos = paths.iter().map(|path| NarInfo::parse(path.narinfo.as_bytes()));
            let infos = infos.collect::<Result<Vec<_>, _>>()?;
            let served = infos.len();
            return Ok(self.tried(asked, (&infos, served), &Ways::from(&infos, &BTreeSet::new()), Vec::new()));
        }
        let source = row.source.and_then(|number| self.catalogue.numbered(number)).ok_or(PromoteError::NoView)?;
        let mut found = self.candidates(view, &source, wish)?;
        found.may_all_be_named_by(caller)?;
        let served = found.present.len();
        let mut infos = found.present;
        infos.append(&mut found.infos);
        let ways = Ways::from(&infos, &found.roots.iter().collect());
        Ok(self.tried(asked, (&infos, served), &ways, found.refused))
    }

    /// The first so many of the paths are those that the view serves.
    fn tried(
        &self,
        (policy, sbom): (&Policy, Option<&Sbom>),
        (infos, served): (&[NarInfo], usize),
        ways: &Ways<'_>,
        unfit: Vec<Refusal>,
    ) -> Trial {
        let findings = self.findings(policy, &infos.iter().map(|info| &info.path).collect::<Vec<_>>());
        let refused: BTreeSet<&str> = unfit.iter().map(|refusal| refusal.path.as_str()).collect();
        let paths = infos.iter().enumerate().map(|(place, info)| {
            let audit = audited(&findings, &info.path);
            let rulings = rulings(policy, &Facts { info, audit, builders: &NoBuilders, sbom });
            let holds = rulings.iter().all(|ruling| matches!(ruling.outcome, Outcome::Holds(_)));
            Tried {
                path: info.path.to_string(),
                is_served: place < served,
                is_admitted: holds && !refused.contains(info.path.as_str()),
                rulings,
                dependency_path: ways.to(&info.path),
            }
        });
        let paths = paths.collect();
        let feed = match findings {
            Findings::Known { serial, built, .. } => Some((serial, built)),
            Findings::Unknown(_) => None,
        };
        Trial { feed, paths, unfit }
    }
}
