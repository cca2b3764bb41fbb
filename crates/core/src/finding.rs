//! What an audit says of one advisory on one package.

use crate::{Class, Scope, Score, Severity};
use std::sync::Arc;

/// One row of a report: an advisory, a package at a version, and what was concluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The advisory's id; a CVE id where there is one.
    pub id: String,
    /// The same advisory's other ids, sorted.
    pub aliases: Vec<String>,
    pub package: Arc<Package>,
    pub state: State,
    pub class: Class,
    pub severity: Severity,
    pub score: Option<Score>,
    /// In CISA's catalogue of known exploited vulnerabilities.
    pub kev: bool,
    pub scope: Scope,
    /// Shortest dependency path from a root, root first; one list for all findings of a component.
    pub path: Arc<[String]>,
    /// Versions in which upstream fixed it, in order.
    pub fixed_versions: Vec<String>,
    /// Named fixed versions in named channels or branches; these make a finding *fixable*.
    pub fixes: Vec<Fix>,
    /// Which of them can be taken where the target is; `None` where nobody said which branch that is.
    pub fixability: Option<Fixability>,
    /// Why this state: sentences in the order they were established.
    pub evidence: Vec<Evidence>,
    /// The exact lines, store paths or references the package was read from; shared likewise.
    pub outputs: Arc<[String]>,
    /// The reason of the local waiver that silences it, when one does.
    pub waived: Option<String>,
    /// From the details pack, when it is there.
    pub title: Option<String>,
    pub references: Vec<String>,
}

impl Finding {
    /// An advisory on a package, and nothing more said of it.
    pub fn new(id: impl Into<String>, package: Package, state: State) -> Self {
        Self {
            id: id.into(),
            aliases: Vec::new(),
            package: Arc::new(package),
            state,
            class: Class::Unclassified,
            severity: Severity::Unknown,
            score: None,
            kev: false,
            scope: Scope::Unknown,
            path: Arc::default(),
            fixed_versions: Vec::new(),
            fixes: Vec::new(),
            fixability: None,
            evidence: Vec::new(),
            outputs: Arc::default(),
            waived: None,
            title: None,
            references: Vec::new(),
        }
    }

    /// Whether it stands as an alarm: affected, and not waived.
    pub fn is_alarm(&self) -> bool {
        self.state == State::Affected && self.waived.is_none()
    }

    /// What can be done by whoever follows these branches.
    pub fn fixability_in(&self, branches: &[String]) -> Fixability {
        let is_here = |fix: &Fix| branches.contains(&fix.channel);
        match self.fixes.as_slice() {
            [] => Fixability::None,
            fixes if fixes.iter().any(is_here) => Fixability::Now,
            _ => Fixability::Rebase,
        }
    }

    /// Whether a fixed version is named in a channel or branch.
    pub fn is_fixable(&self) -> bool {
        !self.fixes.is_empty()
    }
}

/// What can be done about a finding: an update within its branch, a move to another, or nothing yet. Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fixability {
    Now,
    Rebase,
    None,
}

impl Fixability {
    pub const ALL: [Self; 3] = [Self::Now, Self::Rebase, Self::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Rebase => "rebase",
            Self::None => "none",
        }
    }
}

/// The package a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub purl: String,
}

/// What was concluded. Where several apply, the first in this order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A statement or waiver-like verdict of the security team says it does not apply.
    NotAffected,
    /// A patch naming the advisory is on every derivation of the version.
    FixedByPatch,
    /// Several vendors claim the name and nobody has decided which one this package is.
    Unreviewed,
    Affected,
    /// The advisory names the package, but the version cannot be ordered against its range.
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::FixedByPatch => "fixed_by_patch",
            Self::Unreviewed => "unreviewed",
            Self::Affected => "affected",
            Self::Unknown => "unknown",
        }
    }
}

/// A fix one can take: a branch or channel, and the version there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    /// `nixos-24.05`, `pkgsrc-2018Q4`, …
    pub channel: String,
    pub version: String,
    /// The first revision of the channel that has it.
    pub revision: Option<String>,
}

/// A reason, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// A sentence a person can check.
    pub text: String,
}

impl Evidence {
    pub fn new(kind: EvidenceKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// What a reason rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceKind {
    Identity,
    Range,
    Condition,
    Patch,
    Statement,
    Waiver,
    Metadata,
    /// Something seen in a configuration, or why it was not.
    Observation,
}

impl EvidenceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Range => "range",
            Self::Condition => "condition",
            Self::Patch => "patch",
            Self::Statement => "statement",
            Self::Waiver => "waiver",
            Self::Metadata => "metadata",
            Self::Observation => "observation",
        }
    }
}
