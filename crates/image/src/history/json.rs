//! `aux.image-history/1`; docs/formats/image-history.md says what every field means.

use std::collections::BTreeMap;

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{Images, Observation, SEVERITIES};
use crate::audit::Fixability;

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-history/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    images: Vec<ImageOutput<'a>>,
}

#[derive(Serialize)]
struct ImageOutput<'a> {
    name: &'a str,
    observations: Vec<ObservationOutput<'a>>,
}

#[derive(Serialize)]
struct ObservationOutput<'a> {
    at: String,
    state: &'static str,
    reason: Option<&'a str>,
    list_revision: Option<&'a str>,
    feed_serial: Option<u64>,
    packages: Option<u64>,
    fixable: Option<u64>,
    findings: Option<u64>,
    /// By fixability, then by severity.
    counts: Option<BTreeMap<&'static str, BTreeMap<&'static str, u64>>>,
}

impl<'a> ObservationOutput<'a> {
    fn new(observation: &'a Observation) -> Self {
        let counts = observation.counts.as_ref().ok();
        let by_severity = |fix| {
            let counts = counts.map(|counts| SEVERITIES.map(|severity| (severity.as_str(), counts.of(fix, severity))));
            counts.into_iter().flatten().collect()
        };
        Self {
            at: observation.at.to_string(),
            state: if counts.is_some() { "known" } else { "unknown" },
            reason: observation.counts.as_ref().err().map(String::as_str),
            list_revision: observation.list_revision.as_deref(),
            feed_serial: observation.feed_serial,
            packages: observation.packages,
            fixable: counts.map(|counts| counts.of_fix(Fixability::Now) + counts.of_fix(Fixability::Rebase)),
            findings: counts.map(super::Counts::total),
            counts: counts.map(|_| Fixability::ALL.map(|fix| (fix.as_str(), by_severity(fix))).into()),
        }
    }
}

/// Writes a history as one document.
pub fn json(images: &Images) -> String {
    let images = images.iter().map(|(name, observations)| ImageOutput {
        name,
        observations: observations.iter().map(ObservationOutput::new).collect(),
    });
    json_document(&Document { schema: SCHEMA, images: images.collect() })
}
