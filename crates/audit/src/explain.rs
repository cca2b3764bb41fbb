//! Why an advisory matched, or why it did not.

use aux_advisory::identity::Stance;
use aux_advisory::index::{Advisory, AdvisoryKey, Damaged, Index};
use aux_core::finding::EvidenceKind;
use aux_core::{Component, Finding, Inventory};
use jiff::civil::Date;

use crate::audit::{conclusion, present};
use crate::identify::{Candidate, candidates};
use crate::matching::{Match, Outcome, trace};

/// Products named where nothing in the target bears any of their names.
const PRODUCTS_SHOWN: usize = 20;

/// The answer to "why?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the feed holds the advisory at all.
    pub is_known: bool,
    /// Sentences, one a line.
    pub lines: Vec<String>,
}

/// Says of one advisory what it means for everything in the inventories. Statements are judged as on `today`.
pub fn explain(index: &Index<'_>, inventories: &[Inventory], id: &str, today: Date) -> Result<Explanation, Damaged> {
    let Some(key) = index.key_of(id)? else {
        let line = format!("{id} is not in this feed; nobody can say from it whether anything here is affected.");
        return Ok(Explanation { is_known: false, lines: vec![line] });
    };
    let advisory = index.advisory(key)?.ok_or(Damaged)?;
    let mut lines = vec![facts(&advisory)];
    if advisory.withdrawn {
        lines.push("Its source has withdrawn it: it affects nothing.".to_owned());
        return Ok(Explanation { is_known: true, lines });
    }
    for inventory in inventories {
        let present = present(inventory);
        for component in &inventory.components {
            let candidates = candidates(index, component)?;
            let traced = trace(&candidates, component, &present, key)?;
            let mut said: Vec<String> = traced.iter().map(|found| sentence(component, found)).collect();
            let is_metadata = !component.known_vulnerabilities.is_empty();
            if !said.is_empty() || is_metadata {
                let about = (&present, today);
                if let Some(finding) = conclusion(index, inventory, component, about, &advisory)? {
                    said.extend(settled(component, &finding));
                }
            }
            lines.append(&mut said);
        }
    }
    if lines.len() == 1 {
        elsewhere(index, key, &mut lines)?;
    }
    Ok(Explanation { is_known: true, lines })
}

fn facts(advisory: &Advisory<'_>) -> String {
    let mut facts = vec![advisory.id.clone()];
    facts.extend(advisory.aliases.iter().map(|alias| format!("also {alias}")));
    facts.extend(advisory.published.map(|date| format!("published {date}")));
    facts.push(advisory.score.map_or("not scored".to_owned(), |score| format!("CVSS {score}")));
    facts.push(format!("class {}", advisory.class.as_str()));
    if advisory.kev {
        facts.push("known to be exploited".to_owned());
    }
    facts.join(", ")
}

fn sentence(component: &Component, found: &Match<'_, '_>) -> String {
    let why = found.reason(component);
    let Candidate { block, reason, .. } = found.candidate;
    let reason = reason.trim_end_matches('.');
    let verdict = match (&found.outcome, found.stance) {
        (_, Stance::Denied) => format!("is not that product: {reason}"),
        (Outcome::Affected(_), Stance::Unreviewed) => format!("would be affected, {why}; but {reason}"),
        (Outcome::Affected(_), _) => format!("is affected: {why}; {reason}"),
        (Outcome::Unknown(_), _) => format!("may or may not be affected: {why}"),
        (Outcome::OutOfRange | Outcome::Elsewhere(_), _) => format!("is not affected: {why}"),
    };
    format!("{} ({}) {verdict}.", named(component), block.product)
}

fn named(component: &Component) -> String {
    format!("{} {}", component.name, component.version).trim_end().to_owned()
}

/// What patches, statements and the package's own metadata make of it, and what the report says in the end.
fn settled(component: &Component, finding: &Finding) -> Vec<String> {
    let settles = [EvidenceKind::Patch, EvidenceKind::Statement, EvidenceKind::Metadata];
    let settling = finding.evidence.iter().filter(|evidence| settles.contains(&evidence.kind));
    let mut said: Vec<String> = settling.map(|evidence| format!("  {}", evidence.text)).collect();
    if !said.is_empty() {
        said.push(format!("  so {} is reported as {}.", named(component), finding.state.as_str()));
    }
    said
}

/// What the advisory is about, where that is nothing in the target.
fn elsewhere(index: &Index<'_>, key: AdvisoryKey, lines: &mut Vec<String>) -> Result<(), Damaged> {
    lines.push("Nothing in the target bears the name of a product it affects:".to_owned());
    let products = index.products_of(key)?;
    for (product, entry) in products.iter().take(PRODUCTS_SHOWN) {
        let ranges: Vec<String> = entry.versions.iter().map(ToString::to_string).collect();
        let ranges = entry.pattern.map_or_else(|| ranges.join(" · "), str::to_owned);
        lines.push(format!("  {product}: {}", if ranges.is_empty() { "no version named" } else { &ranges }));
    }
    if products.len() > PRODUCTS_SHOWN {
        lines.push(format!("  and {} more", products.len() - PRODUCTS_SHOWN));
    }
    if products.is_empty() {
        lines.push("  its source names no product yet.".to_owned());
    }
    Ok(())
}
