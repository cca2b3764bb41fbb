//! Whether somebody is to be told that a new image is worth it: once for each thing that makes it so.

use aux_alert::{Event, EventKind};
use aux_core::Inventory;
use jiff::Timestamp;
use pkgsrc::digest::Digest;

use crate::audit::Finding;
use crate::plan::{Changelog, Worth};
use crate::spec::Spec;

/// What makes a new image worth it, as subjects that are told of once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasons {
    /// What the image is made of today: another image is told of anew.
    pub generation: String,
    pub subjects: Vec<String>,
}

/// The reasons of a judgement; none where a new image is not worth it, or nobody can say.
pub fn reasons(spec: &Spec, current: &Inventory, changelog: &Changelog, worth: &Worth) -> Reasons {
    let subjects = match worth {
        Worth::Now(_) => urgent(spec, changelog).map(subject).collect(),
        Worth::Cadence(_) => vec!["cadence".to_owned()],
        Worth::No(_) | Worth::Unknown(_) => Vec::new(),
    };
    Reasons { generation: generation(current), subjects }
}

/// One event for all that is new among the reasons.
pub fn event(
    spec: &Spec,
    (changelog, worth): (&Changelog, &Worth),
    untold: &[String],
    (built, advice): (Option<Timestamp>, String),
    now: Timestamp,
) -> Event {
    let fresh: Vec<&Finding> = urgent(spec, changelog).filter(|finding| untold.contains(&subject(finding))).collect();
    let first = fresh.first();
    let since = || match built {
        Some(built) => format!("updates since {}", built.strftime("%Y-%m-%d")),
        None => "updates".to_owned(),
    };
    Event {
        system: spec.name.clone(),
        advisory: first.map_or_else(since, |finding| id(finding)),
        package: first.map_or_else(|| spec.name.clone(), |finding| finding.package.clone()),
        kind: EventKind::ImageDue,
        version: first.map_or_else(|| spec.branch.clone(), |finding| finding.version.clone()),
        is_critical: fresh
            .iter()
            .any(|finding| finding.known.is_some_and(|known| known.class == aux_core::Class::Critical)),
        severity: fresh
            .iter()
            .map(|finding| finding.severity())
            .max()
            .filter(|worst| *worst > aux_core::Severity::Unknown)
            .map(|worst| worst.as_str().to_owned()),
        title: Some(worth.reason().to_owned()),
        fixed_versions: first.and_then(|finding| finding.fix.by()).map(|by| by.version.clone()).into_iter().collect(),
        advice: Some(advice),
        url: first.map(|finding| finding.url.clone()),
        raised: now,
        is_test: false,
    }
}

/// What the policy asks to be fixed at once.
fn urgent<'c>(spec: &'c Spec, changelog: &'c Changelog) -> impl Iterator<Item = &'c Finding> {
    changelog.fixed.iter().filter(|finding| spec.policy.now.fails(finding))
}

fn id(finding: &Finding) -> String {
    finding.ids.first().unwrap_or(&finding.url).clone()
}

fn subject(finding: &Finding) -> String {
    format!("{} {}", finding.package, id(finding))
}

/// The packages of an image in one word.
fn generation(image: &Inventory) -> String {
    let mut names: Vec<String> = image.components.iter().map(|one| format!("{}-{}\n", one.name, one.version)).collect();
    names.sort();
    // Reading from memory does not fail.
    Digest::SHA256.hash_file(&mut names.concat().as_bytes()).unwrap_or_default()
}
