//! `CycloneDX` 1.6 with VEX: the packages something was found in, the vulnerabilities, and what the analysis says.
//!
//! The report knows how many components were judged but names only those with findings, so the list of components is
//! declared incomplete.

mod model;

use std::collections::BTreeMap;

use aux_core::{Finding, Package, Scope, State};

use self::model::{
    Address, Affected, AffectedVersion, Analysis, Bom, Component, Composition, Metadata, Property, Rating, Source,
    Tools, Vulnerability,
};
use super::{Options, TOOL, document, escape, words};
use crate::Report;

/// Characters of a version string (`CycloneDX` 1.6, `version`).
const VERSION_LENGTH_MAX: usize = 1_024;

/// Writes the report as one `CycloneDX` BOM; its serial number is made from its content.
pub fn render(report: &Report, options: Options<'_>) -> String {
    let mut packages: BTreeMap<&Package, Scope> = BTreeMap::new();
    let mut vulnerabilities: BTreeMap<_, (&Finding, Vec<&str>)> = BTreeMap::new();
    for target in &report.targets {
        for finding in &target.findings {
            let scope = packages.entry(&finding.package).or_insert(finding.scope);
            *scope = widest(*scope, finding.scope);
            let key = (&finding.id, &finding.package, finding.state, &finding.waived);
            let (_, targets) = vulnerabilities.entry(key).or_insert_with(|| (finding, Vec::new()));
            if !targets.contains(&target.name.as_str()) {
                targets.push(&target.name);
            }
        }
    }
    let mut bom = Bom {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: metadata(report, options),
        components: packages.into_iter().map(|(package, scope)| component(package, scope)).collect(),
        compositions: [Composition { aggregate: "incomplete" }],
        vulnerabilities: vulnerabilities
            .into_values()
            .map(|(finding, targets)| vulnerability(finding, &targets))
            .collect(),
    };
    bom.serial_number = Some(document::uuid(&bom));
    document::print(&bom)
}

/// What runs somewhere runs.
fn widest(one: Scope, other: Scope) -> Scope {
    match (one, other) {
        (Scope::Runtime, _) | (_, Scope::Runtime) => Scope::Runtime,
        (Scope::Unknown, _) | (_, Scope::Unknown) => Scope::Unknown,
        (Scope::Build, Scope::Build) => Scope::Build,
    }
}

fn metadata<'a>(report: &'a Report, options: Options<'a>) -> Metadata<'a> {
    let mut properties =
        vec![Property::new("aux:verdict", report.verdict.as_str()), Property::new("aux:gate", report.fail_on.as_str())];
    if let Some(file) = &report.gate_file {
        properties.push(Property::new("aux:gate:file", file.as_str()));
    }
    if let Some(feed) = &report.feed {
        properties.push(Property::new("aux:feed:serial", feed.serial.to_string()));
        properties.push(Property::new("aux:feed:built", feed.built.to_string()));
    }
    for target in &report.targets {
        let judged = words::count(target.components, "component");
        let judged = format!("{} ({}, {judged})", target.name, target.kind.as_str());
        properties.push(Property::new("aux:target", judged));
        for problem in &target.problems {
            let text = format!("{}: {}: {}", target.name, problem.subject, problem.message);
            properties.push(Property::new("aux:problem", text));
        }
    }
    let maker = Component {
        kind: "application",
        bom_ref: None,
        name: TOOL,
        version: options.tool_version,
        purl: None,
        scope: None,
    };
    Metadata { timestamp: report.as_of.to_string(), tools: Tools { components: [maker] }, properties }
}

fn reference(package: &Package) -> String {
    format!("package-{}", document::fingerprint(&[&package.name, &package.version, &package.purl]))
}

fn component(package: &Package, scope: Scope) -> Component<'_> {
    Component {
        kind: "library",
        bom_ref: Some(reference(package)),
        name: &package.name,
        version: version(package).unwrap_or_default(),
        purl: Some(escape::identifier(&package.purl)).filter(|purl| purl.starts_with("pkg:")),
        scope: match scope {
            Scope::Runtime => Some("required"),
            Scope::Build => Some("excluded"),
            Scope::Unknown => None,
        },
    }
}

/// The version where the format has room for it.
fn version(package: &Package) -> Option<&str> {
    let version = package.version.as_str();
    (!version.is_empty() && version.chars().count() <= VERSION_LENGTH_MAX).then_some(version)
}

fn vulnerability<'a>(finding: &'a Finding, targets: &[&str]) -> Vulnerability<'a> {
    let mut properties = vec![
        Property::new("aux:state", finding.state.as_str()),
        Property::new("aux:class", finding.class.as_str()),
        Property::new("aux:kev", if finding.kev { "true" } else { "false" }),
        Property::new("aux:scope", finding.scope.as_str()),
    ];
    if let Some(reason) = &finding.waived {
        properties.push(Property::new("aux:waived", reason.as_str()));
    }
    properties.extend(targets.iter().map(|target| Property::new("aux:target", (*target).to_owned())));
    let waived = finding.waived.as_deref().unwrap_or_default();
    let package = reference(&finding.package);
    let bom_ref = document::fingerprint(&[&finding.id, &package, finding.state.as_str(), waived]);
    Vulnerability {
        bom_ref: format!("finding-{bom_ref}"),
        id: &finding.id,
        source: words::nvd_page(&finding.id).map(|url| Source { name: "NVD", url }),
        ratings: [Rating { score: finding.score.map(aux_core::Score::number), severity: finding.severity.as_str() }],
        description: finding.title.as_deref(),
        recommendation: (finding.state == State::Affected).then(|| words::fix(finding)),
        advisories: finding.references.iter().filter_map(|url| escape::web_address(url)).map(Address::new).collect(),
        analysis: analysis(finding),
        affects: [Affected {
            reference: package,
            versions: version(&finding.package)
                .map(|version| AffectedVersion { version, status: status(finding.state) })
                .into_iter()
                .collect(),
        }],
        properties,
    }
}

fn analysis(finding: &Finding) -> Analysis {
    let state = match finding.state {
        State::Affected => "exploitable",
        State::Unreviewed | State::Unknown => "in_triage",
        State::FixedByPatch => "resolved",
        State::NotAffected => "not_affected",
    };
    let response = match finding.state {
        State::Affected if finding.waived.is_some() => vec!["will_not_fix"],
        State::Affected if finding.is_fixable() => vec!["update"],
        _ => Vec::new(),
    };
    Analysis { state, response, detail: words::reason(finding) }
}

fn status(state: State) -> &'static str {
    match state {
        State::Affected => "affected",
        State::FixedByPatch | State::NotAffected => "unaffected",
        State::Unreviewed | State::Unknown => "unknown",
    }
}
