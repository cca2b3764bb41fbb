//! `OpenVEX` 0.2.0: what the audit concluded, as statements about packages.
//!
//! An accepted risk is still a risk: a waived finding stays `affected`, with the waiver as its action. A report without
//! findings has no statement to make, and its list is empty.

use std::collections::BTreeMap;

use aux_core::{Finding, State};
use serde::Serialize;

use super::{Options, TOOL, TOOL_PAGE, document, escape, words};
use crate::Report;

const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";

/// Writes the report as one `OpenVEX` document; its id is made from its content.
pub fn render(report: &Report, options: Options<'_>) -> String {
    // The same package in several targets is one product: one statement for each thing said of it.
    let mut statements: BTreeMap<_, Statement<'_>> = BTreeMap::new();
    for finding in report.targets.iter().flat_map(|target| &target.findings) {
        let key = (&finding.id, &finding.package, finding.state, &finding.waived);
        statements.entry(key).or_insert_with(|| Statement::new(finding));
    }
    let mut vex = Document {
        context: CONTEXT,
        id: String::new(),
        author: TOOL_PAGE,
        role: "scanner",
        timestamp: report.as_of.to_string(),
        version: 1,
        tooling: format!("{TOOL} {}", options.tool_version),
        statements: statements.into_values().collect(),
    };
    vex.id = document::uuid(&vex);
    document::print(&vex)
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@id")]
    id: String,
    author: &'static str,
    role: &'static str,
    timestamp: String,
    version: u32,
    tooling: String,
    statements: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names in the format")]
struct Statement<'a> {
    vulnerability: Vulnerability<'a>,
    products: [Product; 1],
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impact_statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_statement: Option<String>,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    #[serde(rename = "@id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
}

#[derive(Serialize)]
struct Product {
    #[serde(rename = "@id")]
    id: String,
    identifiers: Identifiers,
}

#[derive(Serialize)]
struct Identifiers {
    purl: String,
}

impl<'a> Statement<'a> {
    fn new(finding: &'a Finding) -> Self {
        let reason = words::reason(finding);
        let purl = escape::identifier(&finding.package.purl);
        let (status, notes, impact, action) = match finding.state {
            State::NotAffected => ("not_affected", None, Some(reason), None),
            State::FixedByPatch => ("fixed", Some(reason), None, None),
            State::Unreviewed | State::Unknown => ("under_investigation", Some(reason), None, None),
            State::Affected => {
                // Without evidence the reason would only repeat the status.
                let notes = Some(reason).filter(|_| !finding.evidence.is_empty());
                ("affected", notes, None, Some(action(finding)))
            }
        };
        Self {
            vulnerability: Vulnerability {
                id: words::nvd_page(&finding.id),
                name: &finding.id,
                description: finding.title.as_deref(),
                aliases: &finding.aliases,
            },
            products: [Product { id: purl.clone(), identifiers: Identifiers { purl } }],
            status,
            status_notes: notes,
            impact_statement: impact,
            action_statement: action,
        }
    }
}

/// What to do about an affected package (`OpenVEX` 0.2.0, "Statement Fields": affected must say so).
fn action(finding: &Finding) -> String {
    match &finding.waived {
        Some(reason) => format!("accepted by a local waiver: {reason}"),
        None if finding.fixes.is_empty() => words::fix(finding),
        None => format!("update: {}", words::fix(finding)),
    }
}
