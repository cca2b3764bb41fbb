//! Why an advisory matched, or why it did not.

use aux_advisory::identity::Stance;
use aux_advisory::index::{AdvisoryKey, Index};
use aux_core::finding::EvidenceKind;
use aux_core::{Component, Evidence, Finding, Inventory};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::audit::{findings_of, present};
use crate::identify::{Candidate, candidates};
use crate::matching::{Outcome, Present, trace};

/// A paragraph of sentences, one a line, about one advisory and the inventories.
pub fn explain(index: &Index<'_>, inventories: &[Inventory], id: &str, now: Timestamp) -> Vec<String> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let Some(key) = index.key_of(id) else {
        return vec![format!("{id} is not in this feed; nobody can say from it whether anything here is affected.")];
    };
    let mut lines = Vec::new();
    let advisory = index.advisory(key);
    if let Some(advisory) = &advisory {
        let mut facts = vec![advisory.id.clone()];
        facts.extend(advisory.aliases.iter().map(|alias| format!("also {alias}")));
        facts.extend(advisory.published.map(|date| format!("published {date}")));
        facts.push(advisory.score.map_or("not scored".to_owned(), |score| format!("CVSS {score}")));
        facts.push(format!("class {}", advisory.class.as_str()));
        if advisory.kev {
            facts.push("known to be exploited".to_owned());
        }
        lines.push(facts.join(", "));
        if advisory.withdrawn {
            lines.push("Its source has withdrawn it: it affects nothing.".to_owned());
            return lines;
        }
    }
    let before = lines.len();
    for inventory in inventories {
        let present = present(inventory);
        for component in &inventory.components {
            let candidates = candidates(index, component);
            for found in trace(&candidates, component, &present, key) {
                let why = found.reason(component);
                let Candidate { block, reason, .. } = found.candidate;
                let verdict = match (&found.outcome, found.stance) {
                    (_, Stance::Denied) => format!("is not that product: {reason}"),
                    (Outcome::Affected(_), Stance::Unreviewed) => format!("would be affected, {why}; but {reason}"),
                    (Outcome::Affected(_), _) => format!("is affected: {why}; {reason}"),
                    (Outcome::Unknown(_), _) => format!("may or may not be affected: {why}"),
                    (Outcome::OutOfRange | Outcome::Elsewhere(_), _) => format!("is not affected: {why}"),
                };
                lines.push(format!("{} {} ({}) {verdict}.", component.name, component.version, block.product));
            }
            lines.extend(decided(index, inventory, component, (&present, today, key)));
        }
    }
    if lines.len() == before {
        lines.push("Nothing in the target bears the name of a product it affects:".to_owned());
        let products = index.products_of(key);
        for (product, entry) in products.iter().take(20) {
            let ranges: Vec<String> = entry.versions.iter().map(ToString::to_string).collect();
            let ranges = entry.pattern.map_or_else(|| ranges.join(" · "), str::to_owned);
            lines.push(format!("  {product}: {}", if ranges.is_empty() { "no version named" } else { &ranges }));
        }
        if products.is_empty() {
            lines.push("  its source names no product yet.".to_owned());
        }
    }
    lines
}

/// What outweighs the range: patches that name the advisory, statements of the team, and the state they lead to.
fn decided(
    index: &Index<'_>,
    inventory: &Inventory,
    component: &Component,
    (present, today, key): (&Present, Date, AdvisoryKey),
) -> Vec<String> {
    let mut findings = Vec::new();
    if findings_of(index, inventory, component, (present, today), &mut findings).is_err() {
        return vec![format!("what the feed holds of {} is damaged; build or fetch it again.", component.name)];
    }
    let about = |finding: &&Finding| AdvisoryKey::of(&finding.id) == key;
    let Some(finding) = findings.iter().find(about) else { return Vec::new() };
    let outweighs = |evidence: &&Evidence| matches!(evidence.kind, EvidenceKind::Patch | EvidenceKind::Statement);
    let reasons: Vec<String> =
        finding.evidence.iter().filter(outweighs).map(|evidence| format!("  {}", evidence.text)).collect();
    if reasons.is_empty() {
        return reasons;
    }
    let state = format!("  so {} {} is reported as {}.", component.name, component.version, finding.state.as_str());
    reasons.into_iter().chain([state]).collect()
}
