//! Configuration checks in SARIF: one rule for each check that did not pass, one result for each target.

use aux_core::{CheckResult, CheckState, Severity};
use serde_json::{Value, json};

use super::rules::Rules;
use super::{SarifResult, artifact, level};
use crate::TargetReport;
use crate::formats::{document, escape, words};

/// The name of the fingerprint of a check; its number rises when what goes into it changes.
const FINGERPRINT: &str = "checkTarget/v1";

/// What failed and what could not be seen. What passed is no result that anybody must look at.
pub(super) fn results<'a>(target: &'a TargetReport, rules: &'a Rules<'_>) -> impl Iterator<Item = SarifResult> + 'a {
    let checks = target.checks.iter().flatten().filter(|check| check.state != CheckState::Passed);
    checks.map(|check| result(target, check, rules.index(check.id)))
}

fn result(target: &TargetReport, check: &CheckResult, rule_index: usize) -> SarifResult {
    let is_failed = check.state == CheckState::Failed;
    let text = escape::sarif(&format!("{}: {}", check.title, words::check_reason(check)));
    let name = escape::visible(&target.name);
    let logical = json!([{ "name": check.title, "fullyQualifiedName": name, "kind": "resource" }]);
    let suppressed = check
        .waived
        .as_ref()
        .map(|reason| json!({ "kind": "external", "status": "accepted", "justification": escape::visible(reason) }));
    SarifResult {
        rule_id: check.id.to_owned(),
        rule_index,
        kind: if is_failed { "fail" } else { "open" },
        level: if is_failed { level(check.severity) } else { "none" },
        message: json!({ "text": text }),
        locations: vec![match artifact(target) {
            Some(uri) => json!({
                "physicalLocation": { "artifactLocation": { "uri": uri } },
                "logicalLocations": logical,
            }),
            None => json!({ "logicalLocations": logical }),
        }],
        partial_fingerprints: json!({ FINGERPRINT: document::fingerprint(&[check.id, &target.name]) }),
        suppressions: suppressed.into_iter().collect(),
        properties: json!({
            "state": check.state.as_str(),
            "class": check.class.as_str(),
            "severity": check.severity.as_str(),
            "fix": check.fix,
            "evidence": check.evidence.iter().map(|evidence| evidence.text.as_str()).collect::<Vec<_>>(),
        }),
    }
}

pub(super) fn rule(check: &CheckResult) -> Value {
    let page = words::check_page(check);
    let text = format!("{} {} {}", check.title, check.why, check.fix);
    let markdown = format!("{}\n\n```nix\n{}\n```\n\n<{page}>", escape::markdown(check.why), check.fix);
    json!({
        "id": check.id,
        "shortDescription": { "text": check.title },
        "help": { "text": escape::sarif(&text), "markdown": markdown },
        "helpUri": page,
        "defaultConfiguration": { "level": level(check.severity) },
        "properties": { "tags": ["security", "configuration"], "security-severity": weight(check.severity) },
    })
}

/// Code hosts sort by a number. A check has no score, so each severity stands for the least of its band.
fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.0",
        Severity::High => "7.0",
        Severity::Medium => "4.0",
        Severity::Low | Severity::None | Severity::Unknown => "0.1",
    }
}
