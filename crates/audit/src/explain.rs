//! Why an advisory matched, or why it did not.

use aux_advisory::identity::Stance;
use aux_advisory::index::Index;
use aux_core::Inventory;
use aux_core::component::PatchEvidence;

use crate::audit::present;
use crate::identify::{Candidate, candidates};
use crate::matching::{Outcome, trace};

/// A paragraph of sentences, one a line, about one advisory and the inventories.
pub fn explain(index: &Index<'_>, inventories: &[Inventory], id: &str) -> Vec<String> {
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
            for patch in &component.patches {
                for (cve, seen) in patch.cves.iter().filter(|(cve, _)| cve == id) {
                    let place = match seen {
                        PatchEvidence::Name => "name",
                        PatchEvidence::Url => "URL",
                        PatchEvidence::Text => "text",
                    };
                    lines.push(format!(
                        "{} {} carries {}, whose {place} names {cve}.",
                        component.name, component.version, patch.path
                    ));
                }
            }
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
