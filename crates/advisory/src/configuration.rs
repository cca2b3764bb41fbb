//! CPE configurations, the shape NVD and the CVE Program share: nodes of CPE matches under AND and OR.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aux_core::version::Scheme;
use serde::Deserialize;

use crate::conditions::{Condition, condition, platform_of};
use crate::cpe::{Cpe, unescape};
use crate::prose;
use crate::ranges;
use crate::record::{Affected, Bound, Platform, Product, VersionRange};

#[derive(Deserialize)]
pub(crate) struct Configuration<'a> {
    operator: Option<String>,
    #[serde(default)]
    negate: bool,
    #[serde(borrow)]
    nodes: Vec<Node<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    #[serde(default)]
    operator: String,
    #[serde(default)]
    negate: bool,
    #[serde(borrow, default)]
    cpe_match: Vec<Match<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match<'a> {
    vulnerable: bool,
    #[serde(borrow)]
    criteria: Cow<'a, str>,
    version_start_including: Option<String>,
    version_start_excluding: Option<String>,
    version_end_including: Option<String>,
    version_end_excluding: Option<String>,
}

/// A product as one advisory sees it: where it must run and with what.
pub(crate) type Key = (Product, Platform, Vec<Product>);

impl<'a> Configuration<'a> {
    /// Adds what the configuration calls vulnerable.
    pub(crate) fn collect(&self, products: &mut BTreeMap<Key, Vec<VersionRange>>) {
        if self.negate {
            return;
        }
        let all_of = self.operator.as_deref() == Some("AND");
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.negate) {
            let others: Vec<&Node<'a>> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(other, node)| all_of && *other != index && !node.negate)
                .map(|(_, node)| node)
                .collect();
            let mut elsewhere = false;
            let mut needed = Vec::new();
            for other in others {
                match condition(other.cpe_match.iter().filter_map(|entry| Cpe::read(&entry.criteria))) {
                    Condition::Holds => {}
                    Condition::Elsewhere => elsewhere = true,
                    Condition::Needs(products) => needed = products,
                }
            }
            for entry in node.cpe_match.iter().filter(|entry| entry.vulnerable) {
                entry.collect(elsewhere, &needed, node, products);
            }
        }
    }
}

impl Match<'_> {
    fn collect(
        &self,
        elsewhere: bool,
        needed: &[Product],
        node: &Node<'_>,
        products: &mut BTreeMap<Key, Vec<VersionRange>>,
    ) {
        let Some(cpe) = Cpe::read(&self.criteria) else { return };
        let (product, mut platform) = named(&cpe);
        if elsewhere || (node.operator == "AND" && node.is_bound_to_foreign(&self.criteria)) {
            platform = if platform == Platform::PaidEdition { platform } else { Platform::Foreign };
        }
        let ranges = products.entry((product, platform, needed.to_vec())).or_default();
        if let Some(range) = self.range(&cpe) {
            ranges.push(range);
        }
    }

    /// `None` where the name says "no version" (`-`): then nobody can tell.
    fn range(&self, cpe: &Cpe<'_>) -> Option<VersionRange> {
        let low = match (&self.version_start_including, &self.version_start_excluding) {
            (Some(version), _) => Bound::Including(version.clone()),
            (None, Some(version)) => Bound::Excluding(version.clone()),
            (None, None) => Bound::Open,
        };
        let high = match (&self.version_end_including, &self.version_end_excluding) {
            // `*` with an update beside the end is that update of the last version: `<= 5.6.0` + `beta4`.
            (Some(version), _) if !matches!(cpe.update, "*" | "-" | "") => {
                Bound::Including(format!("{version}-{}", unescape(cpe.update)))
            }
            (Some(version), _) => Bound::Including(version.clone()),
            (None, Some(version)) => Bound::Excluding(version.clone()),
            (None, None) => Bound::Open,
        };
        if low != Bound::Open || high != Bound::Open {
            return Some(VersionRange { low, high });
        }
        match (cpe.version, cpe.full_version()) {
            (_, Some(version)) => Some(VersionRange::exactly(version)),
            ("*", None) => Some(VersionRange::ALL),
            _ => None,
        }
    }
}

impl Node<'_> {
    fn is_bound_to_foreign(&self, criteria: &str) -> bool {
        let others = self.cpe_match.iter().filter(|entry| entry.criteria != criteria);
        condition(others.filter_map(|entry| Cpe::read(&entry.criteria))) == Condition::Elsewhere
    }
}

/// The entries of everything collected, with the bounds the description states in words.
pub(crate) fn affected(products: BTreeMap<Key, Vec<VersionRange>>, description: &str) -> Vec<Affected> {
    let stated = prose::for_products(description, products.keys().map(|(product, ..)| product));
    products
        .into_iter()
        .map(|((product, platform, together_with), versions)| {
            let mut entry = Affected::new(product, Scheme::Generic);
            let stated = stated.get(&entry.product).map_or(&[][..], Vec::as_slice);
            entry.versions = ranges::bounded_by_list(prose::complete(versions, stated));
            entry.platform = platform;
            if prose::is_about_extension(description, entry.product.name()) {
                entry.platform = platform.max(Platform::Plugin);
            }
            entry.together_with = together_with;
            entry.fixed = fixed_versions(&entry.versions);
            entry
        })
        .collect()
}

/// The product a CPE name means, and where it must run.
pub(crate) fn named(cpe: &Cpe<'_>) -> (Product, Platform) {
    let mut platform = platform_of(cpe.target_software);
    let mut name = unescape(cpe.product).into_owned();
    match cpe.software_edition {
        // An extended support release is a product of its own elsewhere in NVD, with its own version line.
        "esr" if !name.ends_with("_esr") => name.push_str("_esr"),
        "enterprise" | "premium" | "pro" | "professional" | "ultimate" | "commercial" => {
            platform = platform.max(Platform::PaidEdition);
        }
        _ => {}
    }
    (Product::cpe(cpe.part, unescape(cpe.vendor), name), platform)
}

/// The versions at which ranges end because they fix it, each once.
pub(crate) fn fixed_versions(ranges: &[VersionRange]) -> Vec<String> {
    let mut fixed: Vec<String> = ranges
        .iter()
        .filter_map(|range| match &range.high {
            Bound::Excluding(version) => Some(version.clone()),
            _ => None,
        })
        .collect();
    fixed.sort();
    fixed.dedup();
    fixed
}
