//! `aux.changes/1`, the document programs read; docs/formats/changes-json.md says what every field means.

use serde::Serialize;

use crate::formats::document;
use crate::formats::json::{FeedOutput, FindingOutput, GateOutput, InputOutput, NoteOutput};
use crate::{Changes, InputChange, PackageChange, TargetChanges};

/// The name and version of the format. The number rises when a reader of the old one could misread the new one.
pub const SCHEMA: &str = "aux.changes/1";

/// Writes the changes as one JSON document.
pub fn render(changes: &Changes) -> String {
    document::print(&Document {
        schema: SCHEMA,
        verdict: changes.verdict.as_str(),
        since: &changes.since,
        as_of: changes.now.as_of.to_string(),
        gate: GateOutput { fail_on: &changes.now.fail_on, file: changes.now.gate_file.as_deref() },
        gates: if changes.gates_all { "all" } else { "new" },
        summary: SummaryOutput {
            targets: changes.targets.len(),
            introduced: changes.sum(|target| target.introduced.len()),
            fixed: changes.sum(|target| target.fixed.len()),
            remaining: changes.sum(|target| target.remaining.len()),
            packages: changes.sum(|target| target.packages.len()),
            problems: changes.sum(|target| target.problems.len()),
        },
        feed: changes.now.feed.as_ref().map(FeedOutput::new),
        waivers: changes.now.waiver_notes.iter().map(NoteOutput::of_waiver).collect(),
        targets: changes.targets.iter().map(TargetOutput::new).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    verdict: &'static str,
    since: &'a str,
    as_of: String,
    gate: GateOutput<'a>,
    gates: &'static str,
    summary: SummaryOutput,
    feed: Option<FeedOutput>,
    waivers: Vec<NoteOutput<'a>>,
    targets: Vec<TargetOutput<'a>>,
}

#[derive(Serialize)]
struct SummaryOutput {
    targets: usize,
    introduced: usize,
    fixed: usize,
    remaining: usize,
    packages: usize,
    problems: usize,
}

#[derive(Serialize)]
struct TargetOutput<'a> {
    name: &'a str,
    kind: &'static str,
    presence: &'static str,
    introduced: Vec<FindingOutput<'a>>,
    fixed: Vec<FixedOutput<'a>>,
    remaining: Vec<FindingOutput<'a>>,
    packages: Vec<PackageOutput<'a>>,
    inputs: Vec<InputsOutput<'a>>,
    problems: Vec<NoteOutput<'a>>,
}

impl<'a> TargetOutput<'a> {
    fn new(target: &'a TargetChanges) -> Self {
        let fixed =
            |fixed: &'a crate::Fixed| FixedOutput { how: &fixed.how, finding: FindingOutput::new(&fixed.finding) };
        Self {
            name: &target.name,
            kind: target.kind.as_str(),
            presence: target.presence.as_str(),
            introduced: target.introduced.iter().map(FindingOutput::new).collect(),
            fixed: target.fixed.iter().map(fixed).collect(),
            remaining: target.remaining.iter().map(FindingOutput::new).collect(),
            packages: target.packages.iter().map(PackageOutput::new).collect(),
            inputs: target.inputs.iter().map(InputsOutput::new).collect(),
            problems: target.problems.iter().map(NoteOutput::of_problem).collect(),
        }
    }
}

#[derive(Serialize)]
struct FixedOutput<'a> {
    how: &'a str,
    finding: FindingOutput<'a>,
}

#[derive(Serialize)]
struct PackageOutput<'a> {
    ecosystem: &'a str,
    name: &'a str,
    before: &'a [String],
    after: &'a [String],
}

impl<'a> PackageOutput<'a> {
    fn new(change: &'a PackageChange) -> Self {
        Self { ecosystem: change.ecosystem.as_str(), name: &change.name, before: &change.before, after: &change.after }
    }
}

#[derive(Serialize)]
struct InputsOutput<'a> {
    name: &'a str,
    before: Option<InputOutput<'a>>,
    after: Option<InputOutput<'a>>,
}

impl<'a> InputsOutput<'a> {
    fn new(change: &'a InputChange) -> Self {
        Self {
            name: &change.name,
            before: change.before.as_ref().map(InputOutput::new),
            after: change.after.as_ref().map(InputOutput::new),
        }
    }
}
