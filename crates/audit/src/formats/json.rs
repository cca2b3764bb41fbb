//! `aux.audit/1`, the document programs read; docs/formats/audit-json.md says what every field means.
//!
//! These structs are the format: a change in the domain types changes nothing here by itself.

use std::collections::BTreeMap;

use aux_core::{CheckResult, Evidence, Finding, Fix, Fixability, FlakeInput, Problem};
use serde::Serialize;

use super::document;
use crate::{FeedFacts, Report, Summary, TargetReport, WaiverNote};

/// The name and version of the format. The number rises when a reader of the old one could misread the new one.
pub const SCHEMA: &str = "aux.audit/1";

/// Writes the report as one JSON document.
pub fn render(report: &Report) -> String {
    document::print(&Document {
        schema: SCHEMA,
        verdict: report.verdict.as_str(),
        as_of: report.as_of.to_string(),
        gate: GateOutput { fail_on: &report.fail_on, file: report.gate_file.as_deref() },
        summary: SummaryOutput::new(report.summary()),
        feed: report.feed.as_ref().map(FeedOutput::new),
        waivers: report.waiver_notes.iter().map(NoteOutput::of_waiver).collect(),
        targets: report.targets.iter().map(TargetOutput::new).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    verdict: &'static str,
    as_of: String,
    gate: GateOutput<'a>,
    summary: SummaryOutput,
    feed: Option<FeedOutput>,
    waivers: Vec<NoteOutput<'a>>,
    targets: Vec<TargetOutput<'a>>,
}

#[derive(Serialize)]
pub(super) struct GateOutput<'a> {
    pub(super) fail_on: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<&'a str>,
}

#[derive(Serialize)]
struct SummaryOutput {
    targets: usize,
    components: usize,
    problems: usize,
    states: BTreeMap<&'static str, usize>,
    waived: usize,
    alarms: BTreeMap<&'static str, usize>,
    kev: usize,
    fixable: usize,
    checks: BTreeMap<&'static str, usize>,
    checks_waived: usize,
}

impl SummaryOutput {
    fn new(summary: Summary) -> Self {
        let Summary { targets, components, states, waived, alarms, kev, fixable, problems, checks, checks_waived } =
            summary;
        Self { targets, components, problems, states, waived, alarms, kev, fixable, checks, checks_waived }
    }
}

#[derive(Serialize)]
pub(super) struct FeedOutput {
    serial: u64,
    built: String,
    age_seconds: u64,
    advisories: usize,
}

impl FeedOutput {
    pub(super) fn new(feed: &FeedFacts) -> Self {
        Self {
            serial: feed.serial,
            built: feed.built.to_string(),
            age_seconds: feed.age_seconds,
            advisories: feed.advisories,
        }
    }
}

/// Something a person should look at: a problem of a target, or a waiver that needs its owner.
#[derive(Serialize)]
pub(super) struct NoteOutput<'a> {
    subject: &'a str,
    message: &'a str,
}

impl<'a> NoteOutput<'a> {
    pub(super) fn of_problem(problem: &'a Problem) -> Self {
        Self { subject: &problem.subject, message: &problem.message }
    }

    pub(super) fn of_waiver(note: &'a WaiverNote) -> Self {
        Self { subject: &note.subject, message: &note.message }
    }
}

#[derive(Serialize)]
struct TargetOutput<'a> {
    name: &'a str,
    kind: &'static str,
    components: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<InputOutput<'a>>,
    problems: Vec<NoteOutput<'a>>,
    findings: Vec<FindingOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckOutput<'a>>>,
}

impl<'a> TargetOutput<'a> {
    fn new(target: &'a TargetReport) -> Self {
        Self {
            name: &target.name,
            kind: target.kind.as_str(),
            components: target.components,
            inputs: target.inputs.iter().map(InputOutput::new).collect(),
            problems: target.problems.iter().map(NoteOutput::of_problem).collect(),
            findings: target.findings.iter().map(FindingOutput::new).collect(),
            checks: target.checks.as_ref().map(|checks| checks.iter().map(CheckOutput::new).collect()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct InputOutput<'a> {
    name: &'a str,
    follows: Option<&'a str>,
    source: &'a str,
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    last_modified: Option<String>,
}

impl<'a> InputOutput<'a> {
    pub(super) fn new(input: &'a FlakeInput) -> Self {
        Self {
            name: &input.name,
            follows: input.follows.as_deref(),
            source: &input.source,
            branch: input.branch.as_deref(),
            revision: input.revision.as_deref(),
            last_modified: input.last_modified.map(|moment| moment.to_string()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FindingOutput<'a> {
    id: &'a str,
    aliases: &'a [String],
    package: PackageOutput<'a>,
    state: &'static str,
    waived: Option<&'a str>,
    class: &'static str,
    severity: &'static str,
    score: Option<f64>,
    kev: bool,
    scope: &'static str,
    path: &'a [String],
    fixed_versions: &'a [String],
    fixes: Vec<FixOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
    evidence: Vec<EvidenceOutput<'a>>,
    outputs: &'a [String],
    title: Option<&'a str>,
    references: &'a [String],
}

impl<'a> FindingOutput<'a> {
    pub(super) fn new(finding: &'a Finding) -> Self {
        let package = &finding.package;
        Self {
            id: &finding.id,
            aliases: &finding.aliases,
            package: PackageOutput { name: &package.name, version: &package.version, purl: &package.purl },
            state: finding.state.as_str(),
            waived: finding.waived.as_deref(),
            class: finding.class.as_str(),
            severity: finding.severity.as_str(),
            score: finding.score.map(aux_core::Score::number),
            kev: finding.kev,
            scope: finding.scope.as_str(),
            path: &finding.path,
            fixed_versions: &finding.fixed_versions,
            fixes: finding.fixes.iter().map(FixOutput::new).collect(),
            fix: finding.fixability.map(Fixability::as_str),
            evidence: finding.evidence.iter().map(EvidenceOutput::new).collect(),
            outputs: &finding.outputs,
            title: finding.title.as_deref(),
            references: &finding.references,
        }
    }
}

#[derive(Serialize)]
struct CheckOutput<'a> {
    id: &'a str,
    title: &'a str,
    state: &'static str,
    waived: Option<&'a str>,
    class: &'static str,
    severity: &'static str,
    why: &'a str,
    evidence: Vec<EvidenceOutput<'a>>,
    fix: &'a str,
}

impl<'a> CheckOutput<'a> {
    fn new(check: &'a CheckResult) -> Self {
        Self {
            id: check.id,
            title: check.title,
            state: check.state.as_str(),
            waived: check.waived.as_deref(),
            class: check.class.as_str(),
            severity: check.severity.as_str(),
            why: check.why,
            evidence: check.evidence.iter().map(EvidenceOutput::new).collect(),
            fix: check.fix,
        }
    }
}

#[derive(Serialize)]
struct PackageOutput<'a> {
    name: &'a str,
    version: &'a str,
    purl: &'a str,
}

#[derive(Serialize)]
struct FixOutput<'a> {
    channel: &'a str,
    version: &'a str,
    revision: Option<&'a str>,
}

impl<'a> FixOutput<'a> {
    fn new(fix: &'a Fix) -> Self {
        Self { channel: &fix.channel, version: &fix.version, revision: fix.revision.as_deref() }
    }
}

#[derive(Serialize)]
struct EvidenceOutput<'a> {
    kind: &'static str,
    text: &'a str,
}

impl<'a> EvidenceOutput<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        Self { kind: evidence.kind.as_str(), text: &evidence.text }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::formats::sample;

    /// Every path of keys in a document; the entries of a list share one.
    fn keys(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    let path = format!("{path}.{key}");
                    keys(field, &path, into);
                    into.insert(path);
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, path, into)),
            _ => {}
        }
    }

    #[test]
    fn the_example_of_the_page_has_the_keys_of_the_document() {
        let page = include_str!("../../../../docs/formats/audit-json.md");
        let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let (mut promised, mut written) = (BTreeSet::new(), BTreeSet::new());
        keys(&serde_json::from_str(example).unwrap(), "", &mut promised);
        keys(&serde_json::from_str(&render(&sample::report())).unwrap(), "", &mut written);
        assert_eq!(promised, written);
        let text = page.rsplit("```").next().unwrap();
        for key in written {
            let name = key.rsplit('.').next().unwrap();
            assert!(text.contains(name), "{key} is not explained");
        }
    }

    #[test]
    fn the_schema_is_the_first_key() {
        assert!(render(&sample::report()).starts_with("{\n  \"schema\": \"aux.audit/1\","));
    }
}
