//! A finding as it is stored and handed to other programs: `aux.finding/1`, one row of the database and of every answer.

use aux_core::{Class, Finding, Fix, Severity, State};
use serde::{Deserialize, Serialize};

/// What is kept of a finding. Evidence and store paths are left out: an audit gives them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    pub id: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub package: KnownPackage,
    pub state: String,
    pub waived: Option<String>,
    pub class: String,
    pub severity: String,
    /// The severity in PackageKit's words, for software centers.
    pub packagekit: String,
    pub score: Option<f64>,
    pub kev: bool,
    pub scope: String,
    pub path: Vec<String>,
    pub fixed_versions: Vec<String>,
    pub fixes: Vec<KnownFix>,
    pub title: Option<String>,
    pub references: Vec<String>,
}

/// A package at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPackage {
    pub name: String,
    pub version: String,
    pub purl: String,
}

/// A fixed version in a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownFix {
    pub channel: String,
    pub version: String,
    pub revision: Option<String>,
}

impl Known {
    pub fn of(finding: &Finding) -> Self {
        let package = &finding.package;
        Self {
            id: finding.id.clone(),
            aliases: finding.aliases.clone(),
            package: KnownPackage {
                name: package.name.clone(),
                version: package.version.clone(),
                purl: package.purl.clone(),
            },
            state: finding.state.as_str().to_owned(),
            waived: finding.waived.clone(),
            class: finding.class.as_str().to_owned(),
            severity: finding.severity.as_str().to_owned(),
            packagekit: packagekit_word(finding.class, finding.severity).to_owned(),
            score: finding.score.map(aux_core::Score::number),
            kev: finding.kev,
            scope: finding.scope.as_str().to_owned(),
            path: finding.path.to_vec(),
            fixed_versions: finding.fixed_versions.clone(),
            fixes: finding.fixes.iter().map(KnownFix::of).collect(),
            title: finding.title.clone(),
            references: finding.references.clone(),
        }
    }

    pub fn is_alarm(&self) -> bool {
        self.state == State::Affected.as_str() && self.waived.is_none()
    }

    pub fn is_fixable(&self) -> bool {
        !self.fixes.is_empty()
    }

    pub fn is_critical(&self) -> bool {
        self.class == Class::Critical.as_str()
    }
}

impl KnownFix {
    fn of(fix: &Fix) -> Self {
        Self { channel: fix.channel.clone(), version: fix.version.clone(), revision: fix.revision.clone() }
    }
}

/// PackageKit's words for how severe an update is (`PkInfoEnum`: low, normal, important, critical, unknown).
///
/// The team's class speaks before the score, as everywhere.
pub fn packagekit_word(class: Class, severity: Severity) -> &'static str {
    match (class, severity) {
        (Class::Critical, _) | (_, Severity::Critical) => "critical",
        (Class::Important, _) | (_, Severity::High) => "important",
        (_, Severity::Medium) => "normal",
        (_, Severity::Low | Severity::None) => "low",
        (_, Severity::Unknown) => "unknown",
    }
}
