//! The rules of a SARIF run: one for each advisory, with what a person needs to judge it.

use std::collections::BTreeMap;

use aux_core::{CheckResult, CheckState, Finding, Severity};
use serde_json::{Value, json};

use crate::Report;
use crate::formats::{escape, words};

/// Advisories by id; their order is the order of the rules.
pub(super) struct Rules<'a> {
    positions: BTreeMap<&'a str, (usize, Subject<'a>)>,
}

/// What a rule is made from.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Advisory(&'a Finding),
    Check(&'a CheckResult),
}

impl<'a> Rules<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut positions = BTreeMap::new();
        for finding in report.targets.iter().flat_map(|target| &target.findings) {
            positions.entry(finding.id.as_str()).or_insert((0, Subject::Advisory(finding)));
        }
        let checks = report.targets.iter().filter_map(|target| target.checks.as_ref()).flatten();
        for check in checks.filter(|check| check.state != CheckState::Passed) {
            positions.entry(check.id).or_insert((0, Subject::Check(check)));
        }
        for (index, (position, _)) in positions.values_mut().enumerate() {
            *position = index;
        }
        Self { positions }
    }

    pub(super) fn index(&self, id: &str) -> usize {
        self.positions.get(id).map_or(0, |(index, _)| *index)
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        let value = |(_, subject)| match subject {
            Subject::Advisory(finding) => rule(finding),
            Subject::Check(check) => super::checks::rule(check),
        };
        self.positions.into_values().map(value).collect()
    }
}

fn rule(finding: &Finding) -> Value {
    // Without prose the first package found in says what it is about.
    let title = finding.title.clone().unwrap_or_else(|| format!("{} in {}", finding.id, finding.package.name));
    let page = page(finding);
    let mut rule = json!({
        "id": finding.id,
        "shortDescription": { "text": escape::sarif(&title) },
        "help": help(finding, &title, page.as_deref()),
        "defaultConfiguration": { "level": super::level(finding.severity) },
        "properties": properties(finding),
    });
    if let (Some(page), Some(fields)) = (page, rule.as_object_mut()) {
        fields.insert("helpUri".to_owned(), page.into());
    }
    rule
}

/// Where to read on: the database's page of a CVE, else the first sound reference.
fn page(finding: &Finding) -> Option<String> {
    words::nvd_page(&finding.id).or_else(|| {
        finding.references.iter().find_map(|reference| escape::web_address(reference)).map(ToOwned::to_owned)
    })
}

fn help(finding: &Finding, title: &str, page: Option<&str>) -> Value {
    let mut facts = vec![words::severity(finding)];
    facts.extend(words::marks(finding));
    if !finding.aliases.is_empty() {
        facts.push(format!("also known as {}", finding.aliases.join(", ")));
    }
    let facts = facts.join(", ");
    let how = format!("aux audit --explain {} says why it matched.", finding.id);
    let text = format!("{title}. {facts}. {how}");
    let mut markdown = [title, &facts, &how].map(escape::markdown).join("\n\n");
    if let Some(page) = page {
        markdown = format!("{markdown}\n\n<{page}>");
    }
    json!({ "text": escape::sarif(&text), "markdown": markdown })
}

/// `security-severity` is what code hosts sort by; it is a string there.
fn properties(finding: &Finding) -> Value {
    let mut tags = vec!["security", "vulnerability"];
    if finding.kev {
        tags.push("known-exploited");
    }
    match finding.score {
        Some(score) if finding.severity != Severity::None => {
            json!({ "tags": tags, "security-severity": score.to_string() })
        }
        _ => json!({ "tags": tags }),
    }
}
