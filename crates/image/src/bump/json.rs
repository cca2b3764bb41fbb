//! `aux.image-bump/1`, the document programs read; docs/formats/image-bump.md says what every field means.

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{Bumped, Edit, Goal, State};

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-bump/1";

/// Writes what became of every repository as one document.
pub fn json(goal: &Goal<'_>, repositories: &[Bumped]) -> String {
    let image = goal.image;
    json_document(&Document {
        schema: SCHEMA,
        target: TargetOutput {
            name: &image.name,
            version: &image.version,
            uuid: &image.uuid,
            branch: image.branch.as_deref(),
        },
        repositories: repositories.iter().map(RepositoryOutput::new).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    target: TargetOutput<'a>,
    repositories: Vec<RepositoryOutput<'a>>,
}

#[derive(Serialize)]
struct TargetOutput<'a> {
    name: &'a str,
    version: &'a str,
    uuid: &'a str,
    branch: Option<&'a str>,
}

#[derive(Serialize)]
struct RepositoryOutput<'a> {
    path: &'a str,
    state: &'static str,
    reason: Option<&'a str>,
    branch: Option<&'a str>,
    commit: Option<&'a str>,
    patch: Option<&'a str>,
    changed: bool,
    edits: Vec<EditOutput<'a>>,
    notes: &'a [String],
}

impl<'a> RepositoryOutput<'a> {
    fn new(bumped: &'a Bumped) -> Self {
        let mut output = Self {
            path: &bumped.path,
            state: bumped.state.as_str(),
            reason: None,
            branch: None,
            commit: None,
            patch: None,
            changed: false,
            edits: bumped.edits.iter().map(EditOutput::new).collect(),
            notes: &bumped.notes,
        };
        match &bumped.state {
            State::Branch { name, commit, is_new } => {
                (output.branch, output.commit, output.changed) = (Some(name.as_str()), Some(commit.as_str()), *is_new);
            }
            State::Patch { file, is_new } => (output.patch, output.changed) = (Some(file.as_str()), *is_new),
            State::Planned | State::Current => {}
            State::Stopped { reason } | State::Unread { reason } => output.reason = Some(reason),
        }
        output
    }
}

#[derive(Serialize)]
struct EditOutput<'a> {
    step: &'static str,
    file: &'a str,
    line: Option<usize>,
    name: &'a str,
    from: Option<&'a str>,
    to: &'a str,
}

impl<'a> EditOutput<'a> {
    fn new(edit: &'a Edit) -> Self {
        Self {
            step: edit.step.as_str(),
            file: &edit.file,
            line: edit.line,
            name: &edit.name,
            from: edit.from.as_deref(),
            to: &edit.to,
        }
    }
}
