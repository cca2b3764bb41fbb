//! A problem as every document of this room has it.

use aux_core::Problem;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct ProblemOutput<'a> {
    subject: &'a str,
    message: &'a str,
}

impl<'a> ProblemOutput<'a> {
    pub(crate) fn new(problem: &'a Problem) -> Self {
        Self { subject: &problem.subject, message: &problem.message }
    }
}
