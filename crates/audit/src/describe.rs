//! Adds what people read about an advisory, where the details pack is at hand.

use aux_advisory::index::{AdvisoryKey, Damaged, Details};

use crate::report::Report;

/// Fills in titles and references. The verdict does not depend on them.
pub fn describe(report: &mut Report, details: &Details<'_>) -> Result<(), Damaged> {
    for finding in report.targets.iter_mut().flat_map(|target| &mut target.findings) {
        if let Some(detail) = details.find(AdvisoryKey::of(&finding.id))? {
            finding.title = Some(detail.title.to_owned()).filter(|title| !title.is_empty());
            finding.references = detail.references.into_iter().map(str::to_owned).collect();
        }
    }
    Ok(())
}
