//! The policy of a view: rules in TOML ([format](../../../../docs/formats/cache-policy.md)), and what they say of a path.

mod judge;
mod licence;
mod sbom;
mod text;

use std::collections::BTreeSet;

use aux_audit::Gate;
use aux_core::Finding;
use aux_nix::signature::{PublicKey, TrustedKeys};
use aux_nix::{BaseName, NarInfo};

use crate::names::Pattern;

pub(crate) use judge::{Outcome, Ruling, judge, rulings};
use licence::Licence;
pub(crate) use sbom::Sbom;
pub(crate) use text::PolicyError;

/// How old a feed may be and still be believed, days, where a policy does not say.
const FEED_AGE_DAYS_MAX: u32 = 7;

/// Rules, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub rules: Vec<Rule>,
    pub when_affected: WhenAffected,
    pub feed_age_days_max: u32,
}

/// What happens to paths that a view serves and that a new feed speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WhenAffected {
    /// They are listed, and the view's verdict is `fail`.
    Flag,
    /// They are withdrawn besides.
    Withdraw,
}

/// One rule: it holds where any of its conditions does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub name: String,
    pub any: Vec<Condition>,
}

/// One thing that may be so of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// At least so many of these keys signed it.
    SignedBy {
        keys: Vec<PublicKey>,
        at_least: usize,
    },
    Listed(BTreeSet<BaseName>),
    /// No finding on its component fails the gate.
    Audit(Gate),
    FixedOutput(bool),
    Name(Vec<Pattern>),
    NameNot(Vec<Pattern>),
    /// So many of these builders got the same NAR.
    Agreed {
        builders: BTreeSet<String>,
        at_least: usize,
    },
    /// An SBOM says licences of it that are taken.
    Licence(Licence),
}

/// What is known of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'f> {
    pub info: &'f NarInfo,
    pub audit: Audited<'f>,
    pub builders: &'f dyn Builders,
    /// What was given for its licence.
    pub sbom: Option<&'f Sbom>,
}

/// What the audit says of a path's component.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audited<'f> {
    /// There is no answer: no feed, one that cannot be read or is too old.
    Unknown(&'f str),
    Findings(&'f [Finding]),
}

/// Who says of a path that building gave this NAR.
pub(crate) trait Builders: std::fmt::Debug + Sync {
    /// Names of builders; the error says why nobody can tell.
    fn agreeing(&self, info: &NarInfo) -> Result<BTreeSet<String>, String>;
}

/// Where no statements of builders are kept.
#[derive(Debug)]
pub(crate) struct NoBuilders;

impl Builders for NoBuilders {
    fn agreeing(&self, _info: &NarInfo) -> Result<BTreeSet<String>, String> {
        Err("no statements of builders are kept here".to_owned())
    }
}

impl Policy {
    /// Reads a policy; an empty text has no rules, and everything holds.
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyError> {
        text::parse(text)
    }

    /// The rules that ask for an audit: those that can break while nothing but the feed changes.
    pub(crate) fn audited(&self) -> Self {
        let asks = |rule: &&Rule| rule.any.iter().any(|condition| matches!(condition, Condition::Audit(_)));
        Self { rules: self.rules.iter().filter(asks).cloned().collect(), ..self.clone() }
    }
}

/// Keys as the verification wants them, one at a time.
fn alone(key: &PublicKey) -> TrustedKeys {
    TrustedKeys::new([key.clone()])
}
