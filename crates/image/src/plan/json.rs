//! `aux.image-plan/1`, the document programs read; docs/formats/image-plan.md says what every field means.

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{Changelog, PackageChange, Worth};
use crate::audit::{Finding, FindingOutput, Report};
use crate::problem::ProblemOutput;
use crate::resolve::Resolution;
use crate::spec::Spec;

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-plan/1";

/// Writes a plan as one document.
pub fn json(
    spec: &Spec,
    resolution: &Resolution<'_>,
    changelog: &Changelog,
    worth: &Worth,
    audits: (&Report, &Report),
) -> String {
    json_document(&Document {
        schema: SCHEMA,
        name: &spec.name,
        branch: &spec.branch,
        as_of: audits.1.as_of.to_string(),
        worthwhile: WorthOutput { answer: worth.as_str(), reason: worth.reason() },
        packages: resolution.packages.iter().map(|package| package.full_name()).collect(),
        changelog: ChangelogOutput::new(changelog),
        problems: audits.0.every_problem().chain(audits.1.every_problem()).map(ProblemOutput::new).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    branch: &'a str,
    as_of: String,
    worthwhile: WorthOutput<'a>,
    packages: Vec<String>,
    changelog: ChangelogOutput<'a>,
    problems: Vec<ProblemOutput<'a>>,
}

#[derive(Serialize)]
struct WorthOutput<'a> {
    answer: &'static str,
    reason: &'a str,
}

/// A changelog as documents hold it.
#[derive(Serialize)]
pub(crate) struct ChangelogOutput<'a> {
    packages: Vec<PackageOutput<'a>>,
    fixed: Vec<FindingOutput<'a>>,
    brought: Vec<FindingOutput<'a>>,
    left: Vec<FindingOutput<'a>>,
}

impl<'a> ChangelogOutput<'a> {
    pub(crate) fn new(changelog: &'a Changelog) -> Self {
        let findings = |findings: &'a [Finding]| findings.iter().map(FindingOutput::new).collect();
        Self {
            packages: changelog.packages.iter().map(PackageOutput::new).collect(),
            fixed: findings(&changelog.fixed),
            brought: findings(&changelog.brought),
            left: findings(&changelog.left),
        }
    }
}

#[derive(Serialize)]
struct PackageOutput<'a> {
    name: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    downgrade: bool,
}

impl<'a> PackageOutput<'a> {
    fn new(change: &'a PackageChange) -> Self {
        Self {
            name: &change.name,
            from: change.from.as_deref(),
            to: change.to.as_deref(),
            downgrade: change.is_downgrade(),
        }
    }
}
