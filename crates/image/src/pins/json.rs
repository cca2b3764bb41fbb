//! `aux.image-pins/1`, the document programs read; docs/formats/image-pins.md says what every field means.

use std::collections::BTreeMap;

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{Answer, Exposure, Exposures, Pin, Repository};
use crate::catalog::Catalog;
use crate::problem::ProblemOutput;

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-pins/1";

/// Writes what was found as one document; a catalog says how the pinned images stand, exposures what
/// being behind means.
pub fn json(repositories: &[Repository], catalog: Option<&Catalog>, exposures: &Exposures) -> String {
    json_document(&Document {
        schema: SCHEMA,
        repositories: repositories
            .iter()
            .map(|repository| RepositoryOutput::new(repository, catalog, exposures))
            .collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    repositories: Vec<RepositoryOutput<'a>>,
}

#[derive(Serialize)]
struct RepositoryOutput<'a> {
    path: &'a str,
    answers: BTreeMap<&'static str, Option<&'a str>>,
    pins: Vec<PinOutput<'a>>,
    problems: Vec<ProblemOutput<'a>>,
    notes: Vec<ProblemOutput<'a>>,
}

impl<'a> RepositoryOutput<'a> {
    fn new(repository: &'a Repository, catalog: Option<&'a Catalog>, exposures: &'a Exposures) -> Self {
        let pins = &repository.pins;
        let answer = |answer: &'a Answer| match answer {
            Answer::Known(value) => Some(value.as_str()),
            Answer::Undefined | Answer::Unknown => None,
        };
        Self {
            path: &repository.path,
            answers: pins.answers.iter().map(|(name, value)| (*name, answer(value))).collect(),
            pins: pins.pins.iter().map(|pin| PinOutput::new(pin, catalog, exposures)).collect(),
            problems: pins.problems.iter().map(ProblemOutput::new).collect(),
            notes: pins.notes.iter().map(ProblemOutput::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct PinOutput<'a> {
    kind: &'static str,
    name: &'a str,
    value: &'a str,
    file: &'a str,
    line: Option<usize>,
    active: Option<bool>,
    image: Option<String>,
    branch: Option<&'a str>,
    behind: Option<usize>,
    exposes: Option<ExposureOutput<'a>>,
    exposes_unknown: Option<&'a str>,
}

#[derive(Serialize)]
struct ExposureOutput<'a> {
    newest: &'a str,
    findings: usize,
    worst: &'static str,
    exploited: Option<usize>,
    ids: &'a [String],
}

impl<'a> PinOutput<'a> {
    fn new(pin: &'a Pin, catalog: Option<&'a Catalog>, exposures: &'a Exposures) -> Self {
        let standing = catalog.and_then(|catalog| pin.standing(catalog));
        let (image, branch, behind) =
            standing.map_or((None, None, None), |standing| (standing.image, standing.branch, standing.behind));
        let exposure = pin.exposure(exposures);
        Self {
            kind: pin.kind.as_str(),
            name: &pin.name,
            value: &pin.value,
            file: &pin.file,
            line: (pin.line > 0).then_some(pin.line),
            active: pin.is_active,
            image,
            branch,
            behind,
            exposes: exposure.and_then(|one| one.as_ref().ok()).map(ExposureOutput::new),
            exposes_unknown: exposure.and_then(|one| one.as_ref().err()).map(String::as_str),
        }
    }
}

impl<'a> ExposureOutput<'a> {
    fn new(exposure: &'a Exposure) -> Self {
        Self {
            newest: &exposure.newest,
            findings: exposure.findings,
            worst: exposure.worst.as_str(),
            exploited: exposure.exploited,
            ids: &exposure.ids,
        }
    }
}
