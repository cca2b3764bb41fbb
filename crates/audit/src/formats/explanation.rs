//! `aux.explain/1`: the answer to `--explain`, for a program.

use aux_core::Problem;
use serde::Serialize;

use super::document;
use crate::Explanation;

/// The name and version of the document.
const SCHEMA: &str = "aux.explain/1";

/// The answer as one document, with what could not be read and may be what was asked about.
pub fn json(id: &str, explanation: &Explanation, problems: &[&Problem]) -> String {
    let problems = problems.iter().map(|problem| Unread { subject: &problem.subject, message: &problem.message });
    document::print(&Document {
        schema: SCHEMA,
        id,
        known: explanation.is_known,
        lines: &explanation.lines,
        problems: problems.collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    id: &'a str,
    /// Whether the feed holds the advisory.
    known: bool,
    lines: &'a [String],
    problems: Vec<Unread<'a>>,
}

#[derive(Serialize)]
struct Unread<'a> {
    subject: &'a str,
    message: &'a str,
}
