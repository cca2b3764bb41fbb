//! Whether a product of the same name is too far ahead to be the component.

use aux_advisory::index::{Block, Damaged};
use aux_advisory::record::Bound;

/// From how many times the component's own generation on a product is taken for another program of that name.
const TIMES: u64 = 2;

/// The generation that the product's advisories begin with, where all of them speak of generations more than twice the
/// component's: `zoom-1.1.5`, and a Zoom whose first advisory is about 4.1.
///
/// A program is rarely so far behind everything that was ever reported of it, and a namesake often is. One version that is
/// no number anywhere in the product, and nothing is concluded.
pub(crate) fn generation_ahead(block: &Block<'_>, version: &str) -> Result<Option<u64>, Damaged> {
    let Some(own) = generation(version) else { return Ok(None) };
    let mut lowest = None;
    for entry in block.entries() {
        let entry = entry?;
        for bound in entry.versions.iter().flat_map(|range| [&range.low, &range.high]) {
            let (Bound::Including(version) | Bound::Excluding(version)) = bound else { continue };
            match generation(version) {
                Some(number) if number > own.saturating_mul(TIMES) => {
                    lowest = Some(lowest.map_or(number, |lowest: u64| lowest.min(number)));
                }
                // Most products end here, at their first advisory.
                _ => return Ok(None),
            }
        }
    }
    Ok(lowest)
}

/// The number a version begins with: 3 of `3.0.13`, of `v3` and of `release-3.1`.
fn generation(version: &str) -> Option<u64> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_the_first_number() {
        for (version, wanted) in [("3.0.13", Some(3)), ("v12", Some(12)), ("release-0.4", Some(0)), ("beta", None)] {
            assert_eq!(generation(version), wanted, "{version}");
        }
        assert_eq!(generation("99999999999999999999999"), None);
    }
}
