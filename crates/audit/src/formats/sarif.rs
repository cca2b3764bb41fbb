//! SARIF 2.1.0, for code hosts and editors: one result per finding, one rule per advisory.
//!
//! A physical location is given only where one is true: the file a target was read from. A derivation graph or a
//! closure is no file of a repository, so its findings have logical locations alone.

mod checks;
mod rules;

use aux_core::{Finding, Severity, State, TargetKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Options, TOOL, TOOL_PAGE, document, escape, words};
use crate::{Report, TargetReport, Verdict};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The name of the fingerprint; its number rises when what goes into it changes.
const FINGERPRINT: &str = "advisoryPackageVersion/v1";

/// Writes the report as one SARIF log with one run.
pub fn render(report: &Report, options: Options<'_>) -> String {
    let rules = rules::Rules::of(report);
    let results: Vec<SarifResult> = report
        .targets
        .iter()
        .flat_map(|target| {
            let findings = target.findings.iter().map(|finding| result(target, finding, rules.index(&finding.id)));
            findings.chain(checks::results(target, &rules))
        })
        .collect();
    let (word, sentence) = words::verdict(report);
    document::print(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": TOOL,
                "version": options.tool_version,
                "informationUri": TOOL_PAGE,
                "rules": rules.into_values(),
            }},
            "invocations": [{
                // What could not be read leaves the analysis incomplete (section 3.20.14).
                "executionSuccessful": report.verdict != Verdict::Unknown,
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
            "columnKind": "unicodeCodePoints",
            "properties": {
                "verdict": report.verdict.as_str(),
                "summary": format!("{word}: {sentence}"),
                "failOn": report.fail_on,
                "gateFile": report.gate_file,
                "asOf": report.as_of.to_string(),
                "feed": report.feed.as_ref().map(|feed| json!({
                    "serial": feed.serial,
                    "built": feed.built.to_string(),
                    "ageSeconds": feed.age_seconds,
                    "advisories": feed.advisories,
                })),
            },
        }],
    }))
}

fn notifications(report: &Report) -> Vec<Value> {
    let problems = report.targets.iter().flat_map(|target| {
        target.problems.iter().map(move |problem| {
            let text = escape::sarif(&format!("{}: {}: {}", target.name, problem.subject, problem.message));
            json!({ "level": "error", "message": { "text": text } })
        })
    });
    let waivers = report.waiver_notes.iter().map(|note| {
        let text = escape::sarif(&format!("{}: {}", note.subject, note.message));
        json!({ "level": "warning", "message": { "text": text } })
    });
    problems.chain(waivers).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: String,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Value,
    locations: Vec<Value>,
    partial_fingerprints: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Value>,
    properties: Value,
}

fn result(target: &TargetReport, finding: &Finding, rule_index: usize) -> SarifResult {
    let kind = kind(finding.state);
    SarifResult {
        rule_id: finding.id.clone(),
        rule_index,
        kind,
        // A result that is no failure has no level (section 3.27.10).
        level: if kind == "fail" { level(finding.severity) } else { "none" },
        message: json!({ "text": message(finding) }),
        locations: vec![location(target, finding)],
        partial_fingerprints: json!({ FINGERPRINT: document::finding_fingerprint(finding) }),
        suppressions: suppression(finding).into_iter().collect(),
        properties: properties(finding),
    }
}

/// Section 3.27.9: `review` waits for a person, `open` is what could not be decided.
fn kind(state: State) -> &'static str {
    match state {
        State::Affected | State::NotAffected | State::FixedByPatch => "fail",
        State::Unreviewed => "review",
        State::Unknown => "open",
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        // What nobody has scored is not presumed harmless.
        Severity::Medium | Severity::Unknown => "warning",
        Severity::Low | Severity::None => "note",
    }
}

fn message(finding: &Finding) -> String {
    let package = &finding.package;
    let text = match finding.state {
        State::Affected => {
            format!("{} {} is affected by {}: {}", package.name, package.version, finding.id, words::fix(finding))
        }
        _ => format!(
            "{} {}, {}: {} ({})",
            package.name,
            package.version,
            finding.id,
            words::state(finding.state),
            words::reason(finding)
        ),
    };
    escape::sarif(&text)
}

/// Section 3.35: what a waiver, a statement or a patch has settled is shown as settled, with the reason.
fn suppression(finding: &Finding) -> Option<Value> {
    let settled = finding.waived.is_some() || matches!(finding.state, State::NotAffected | State::FixedByPatch);
    settled.then(|| {
        json!({ "kind": "external", "status": "accepted", "justification": escape::visible(&words::reason(finding)) })
    })
}

fn location(target: &TargetReport, finding: &Finding) -> Value {
    let package = &finding.package;
    let mut names = vec![escape::visible(&target.name)];
    names.extend(finding.path.iter().map(|label| escape::visible(label)));
    let logical = json!([{
        "name": escape::visible(&format!("{} {}", package.name, package.version)),
        "fullyQualifiedName": names.join(" › "),
        "kind": "package",
    }]);
    match artifact(target) {
        Some(uri) => json!({
            "physicalLocation": { "artifactLocation": { "uri": uri } },
            "logicalLocations": logical,
        }),
        None => json!({ "logicalLocations": logical }),
    }
}

/// The file a finding can truly be pointed at: one that lists what was found.
fn artifact(target: &TargetReport) -> Option<String> {
    let name = target.name.as_str();
    if name.is_empty() || name == "-" {
        return None;
    }
    match target.kind {
        TargetKind::FlakeLock => {
            let file = name.rsplit('/').next().unwrap_or(name);
            let is_file = [".lock", ".json"].iter().any(|ending| file.ends_with(ending));
            let path = if is_file { name.to_owned() } else { format!("{}/flake.lock", name.trim_end_matches('/')) };
            Some(escape::path_uri(&path))
        }
        TargetKind::NameList
        | TargetKind::PurlList
        | TargetKind::PkgsrcList
        | TargetKind::TritonManifest
        | TargetKind::Configuration
        | TargetKind::CycloneDx
        | TargetKind::Spdx => Some(escape::path_uri(name)),
        TargetKind::DerivationGraph
        | TargetKind::DerivationJson
        | TargetKind::Closure
        | TargetKind::FlakeOutput
        | TargetKind::PathInfo
        | TargetKind::Unrecognised => None,
    }
}

fn properties(finding: &Finding) -> Value {
    json!({
        "state": finding.state.as_str(),
        "class": finding.class.as_str(),
        "severity": finding.severity.as_str(),
        "kev": finding.kev,
        "scope": finding.scope.as_str(),
        "purl": escape::identifier(&finding.package.purl),
        "fixedVersions": finding.fixed_versions,
        "evidence": finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect::<Vec<_>>(),
    })
}
