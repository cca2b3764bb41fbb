//! What being behind exposes: findings of a pinned image that the newest of its family does not have.

use std::collections::BTreeMap;

use aux_core::{Inventory, Severity};

use crate::audit::{Finding, Question, audit};
use crate::catalog::Catalog;

/// What a pinned image has and the newest of its family has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The newest image, as the catalog calls it.
    pub newest: String,
    pub findings: usize,
    /// `Unknown` where nobody scored any of them.
    pub worst: Severity,
    /// How many are known to be exploited; `None` without a feed, which alone knows.
    pub exploited: Option<usize>,
    /// Their ids, sorted.
    pub ids: Vec<String>,
}

/// What each of these images exposes, by UUID; the reason where nobody can say.
pub type Exposures = BTreeMap<String, Result<Exposure, String>>;

/// Compares images with the newest of their families. `question` says by what they are judged, its own images have no part;
/// `packages` gives what an image is made of, or why nobody can say.
pub fn exposures<'p>(
    uuids: impl IntoIterator<Item = &'p str>,
    catalog: &Catalog,
    question: &Question<'_>,
    packages: &mut dyn FnMut(&str) -> Result<Inventory, String>,
) -> Exposures {
    let mut known: BTreeMap<String, Result<Vec<Finding>, String>> = BTreeMap::new();
    let mut exposures = Exposures::new();
    for uuid in uuids {
        let uuid = uuid.to_ascii_lowercase();
        let Some(newest) = catalog.newest(&uuid) else { continue };
        if newest.uuid == uuid || exposures.contains_key(&uuid) {
            continue;
        }
        let mut findings = |uuid: &str| {
            let found = known.entry(uuid.to_owned()).or_insert_with(|| judged(packages(uuid), question));
            found.clone()
        };
        let exposure = findings(&uuid).and_then(|own| Ok((own, findings(&newest.uuid)?)));
        let exposure =
            exposure.map(|(own, newer)| compared(newest.whole_name(), (&own, &newer), question.index.is_some()));
        exposures.insert(uuid, exposure);
    }
    exposures
}

fn judged(image: Result<Inventory, String>, question: &Question<'_>) -> Result<Vec<Finding>, String> {
    let images = [image?];
    let report = audit(&Question { images: &images, ..*question }).map_err(|error| format!("the feed: {error}"))?;
    if let Some(problem) = report.every_problem().next() {
        return Err(format!("{}: {}", problem.subject, problem.message));
    }
    Ok(report.images.into_iter().flat_map(|image| image.findings).collect())
}

fn compared(newest: String, (own, newer): (&[Finding], &[Finding]), has_feed: bool) -> Exposure {
    // One entry of the list on one package is one finding, whatever the version.
    let is_left =
        |finding: &&Finding| newer.iter().any(|one| one.package == finding.package && one.line == finding.line);
    let open: Vec<&Finding> = own.iter().filter(|finding| !is_left(finding)).collect();
    let mut ids: Vec<String> = open.iter().map(|one| one.ids.first().unwrap_or(&one.url).clone()).collect();
    ids.sort();
    ids.dedup();
    Exposure {
        newest,
        findings: open.len(),
        worst: open.iter().map(|finding| finding.severity()).max().unwrap_or(Severity::Unknown),
        exploited: has_feed.then(|| open.iter().filter(|finding| finding.known.is_some_and(|known| known.kev)).count()),
        ids,
    }
}
