//! `aux.image-audit/1`, the document programs read; docs/formats/image-audit.md says what every field means.

use std::collections::BTreeMap;

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{BranchFacts, Finding, Fixability, ImageReport, Report};
use crate::list::{ListFacts, Signature};
use crate::problem::ProblemOutput;

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-audit/1";

/// Writes the report as one document.
pub fn json(report: &Report) -> String {
    json_document(&Document {
        schema: SCHEMA,
        verdict: report.verdict.as_str(),
        as_of: report.as_of.to_string(),
        gate: GateOutput { fail_on: &report.fail_on },
        summary: summary(report),
        list: ListOutput::new(&report.list_file, report.list.as_ref()),
        branches: report.branches.iter().map(BranchOutput::new).collect(),
        feed: report.feed.as_ref().map(|feed| FeedOutput {
            serial: feed.serial,
            built: feed.built.to_string(),
            age_seconds: feed.age_seconds,
            advisories: feed.advisories,
        }),
        problems: report.problems.iter().map(ProblemOutput::new).collect(),
        targets: report.images.iter().map(TargetOutput::new).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    verdict: &'static str,
    as_of: String,
    gate: GateOutput<'a>,
    summary: SummaryOutput,
    list: ListOutput<'a>,
    branches: Vec<BranchOutput<'a>>,
    feed: Option<FeedOutput>,
    problems: Vec<ProblemOutput<'a>>,
    targets: Vec<TargetOutput<'a>>,
}

#[derive(Serialize)]
struct GateOutput<'a> {
    fail_on: &'a str,
}

#[derive(Serialize)]
struct SummaryOutput {
    targets: usize,
    packages: usize,
    problems: usize,
    findings: usize,
    fix: BTreeMap<&'static str, usize>,
    severity: BTreeMap<&'static str, usize>,
    kev: usize,
}

fn summary(report: &Report) -> SummaryOutput {
    let findings = || report.images.iter().flat_map(|image| &image.findings);
    let count = |wanted: &str, of: &dyn Fn(&Finding) -> &'static str| {
        findings().filter(|finding| of(finding) == wanted).count()
    };
    let severities = ["critical", "high", "medium", "low", "none", "unknown"];
    SummaryOutput {
        targets: report.images.len(),
        packages: report.images.iter().map(|image| image.packages).sum(),
        problems: report.problems.len() + report.images.iter().map(|image| image.problems.len()).sum::<usize>(),
        findings: findings().count(),
        fix: Fixability::ALL
            .map(|fix| (fix.as_str(), count(fix.as_str(), &|finding| finding.fixability().as_str())))
            .into(),
        severity: severities.map(|word| (word, count(word, &|finding| finding.severity().as_str()))).into(),
        kev: findings().filter(|finding| finding.known.is_some_and(|known| known.kev)).count(),
    }
}

#[derive(Serialize)]
struct ListOutput<'a> {
    file: &'a str,
    revision: Option<&'a str>,
    committed: Option<String>,
    format: Option<&'a str>,
    entries: Option<usize>,
    checksums: &'a [String],
    signature: Option<SignatureOutput<'a>>,
}

impl<'a> ListOutput<'a> {
    fn new(file: &'a str, facts: Option<&'a ListFacts>) -> Self {
        Self {
            file,
            revision: facts.and_then(|facts| facts.revision.as_deref()),
            committed: facts.and_then(|facts| facts.committed).map(|moment| moment.to_string()),
            format: facts.map(|facts| facts.format.as_str()),
            entries: facts.map(|facts| facts.entries),
            checksums: facts.map(|facts| facts.checksums.as_slice()).unwrap_or_default(),
            signature: facts.map(|facts| SignatureOutput::new(&facts.signature)),
        }
    }
}

#[derive(Serialize)]
struct SignatureOutput<'a> {
    state: &'static str,
    fingerprint: Option<&'a str>,
    message: String,
}

impl<'a> SignatureOutput<'a> {
    fn new(signature: &'a Signature) -> Self {
        let fingerprint = match signature {
            Signature::Verified(signer) => Some(signer.fingerprint.as_str()),
            _ => None,
        };
        Self { state: signature.as_str(), fingerprint, message: signature.message() }
    }
}

#[derive(Serialize)]
struct BranchOutput<'a> {
    name: &'a str,
    file: &'a str,
    packages: Option<usize>,
}

impl<'a> BranchOutput<'a> {
    fn new(branch: &'a BranchFacts) -> Self {
        Self { name: &branch.name, file: &branch.file, packages: branch.packages }
    }
}

#[derive(Serialize)]
struct FeedOutput {
    serial: u64,
    built: String,
    age_seconds: u64,
    advisories: usize,
}

#[derive(Serialize)]
struct TargetOutput<'a> {
    name: &'a str,
    kind: &'static str,
    packages: usize,
    problems: Vec<ProblemOutput<'a>>,
    findings: Vec<FindingOutput<'a>>,
}

impl<'a> TargetOutput<'a> {
    fn new(image: &'a ImageReport) -> Self {
        Self {
            name: &image.name,
            kind: image.kind.as_str(),
            packages: image.packages,
            problems: image.problems.iter().map(ProblemOutput::new).collect(),
            findings: image.findings.iter().map(FindingOutput::new).collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FindingOutput<'a> {
    package: &'a str,
    version: &'a str,
    pattern: &'a str,
    r#type: &'a str,
    url: &'a str,
    ids: &'a [String],
    line: usize,
    fix: &'static str,
    fixed_package: Option<&'a str>,
    fixed_version: Option<&'a str>,
    branch: Option<&'a str>,
    severity: &'static str,
    score: Option<f64>,
    kev: Option<bool>,
    class: Option<&'static str>,
}

impl<'a> FindingOutput<'a> {
    pub(crate) fn new(finding: &'a Finding) -> Self {
        let by = finding.fix.by();
        let known = finding.known;
        Self {
            package: &finding.package,
            version: &finding.version,
            pattern: &finding.pattern,
            r#type: &finding.kind,
            url: &finding.url,
            ids: &finding.ids,
            line: finding.line,
            fix: finding.fixability().as_str(),
            fixed_package: by.map(|by| by.package.as_str()),
            fixed_version: by.map(|by| by.version.as_str()),
            branch: by.map(|by| by.branch.as_str()),
            severity: finding.severity().as_str(),
            score: known.and_then(|known| known.score).map(aux_core::Score::number),
            kev: known.map(|known| known.kev),
            class: known.map(|known| known.class.as_str()),
        }
    }
}
