//! What an audit says of one configuration check on one target.

use crate::{Class, Evidence, Severity};

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// `AUX-C001`.
    pub id: &'static str,
    /// What it looks at, a noun phrase.
    pub title: &'static str,
    pub state: CheckState,
    /// Our own scale, stated on the check's page; there is no score.
    pub severity: Severity,
    /// What the security team says of it.
    pub class: Class,
    /// Why it matters.
    pub why: &'static str,
    /// What was seen and where, or why nothing was seen.
    pub evidence: Vec<Evidence>,
    /// Lines of a NixOS configuration that make it hold.
    pub fix: &'static str,
    /// The reason of the local waiver that silences it, when one does.
    pub waived: Option<String>,
}

impl CheckResult {
    /// Whether it stands as an alarm: failed, and not waived.
    pub fn is_alarm(&self) -> bool {
        self.state == CheckState::Failed && self.waived.is_none()
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    Failed,
    /// It could not be seen. Neither failed nor passed.
    Unknown,
    Passed,
}

impl CheckState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Passed => "passed",
        }
    }
}
