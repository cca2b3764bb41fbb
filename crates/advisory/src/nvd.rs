//! NVD 2.0 JSON: API pages and yearly `nvdcve-2.0-YYYY.json` files (NVD "CVE API" reference, `cve_api_json_2.0` schema).

use std::borrow::Cow;
use std::collections::BTreeMap;

use aux_core::Score;
use aux_core::version::Scheme;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::conditions::{Condition, condition, platform_of};
use crate::cpe::{Cpe, unescape};
use crate::prose;
use crate::ranges;
use crate::record::{Affected, Bound, Platform, Product, Record, VersionRange};

/// Why a document is not an NVD feed.
#[derive(Debug, thiserror::Error)]
pub enum NvdError {
    #[error("not an NVD 2.0 document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the document has no `vulnerabilities`; NVD 1.1 feeds ended in 2023, take the 2.0 feed")]
    NoVulnerabilities,
    #[error("format `{0}` is not NVD_CVE")]
    Format(String),
    #[error("version `{0}` is not 2.0")]
    Version(String),
    #[error("it holds {found} of the {stated} results it states; the file is cut short or a page is missing")]
    Incomplete { stated: u64, found: u64 },
}

/// Hands every record of the document to `each`, one at a time, so that a year never stands in memory twice.
pub fn read(document: &[u8], each: &mut dyn FnMut(Record)) -> Result<(), NvdError> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let header = deserializer.deserialize_map(FeedVisitor { each })?;
    deserializer.end()?;
    match (header.found, header.format.as_deref(), header.version.as_deref()) {
        (_, Some(format), _) if format != "NVD_CVE" => Err(NvdError::Format(format.to_owned())),
        (_, _, Some(version)) if version != "2.0" => Err(NvdError::Version(version.to_owned())),
        (None, _, _) => Err(NvdError::NoVulnerabilities),
        (Some(found), _, _) => match header.results_per_page {
            Some(stated) if stated != found => Err(NvdError::Incomplete { stated, found }),
            _ => Ok(()),
        },
    }
}

#[derive(Default)]
struct Header {
    format: Option<String>,
    version: Option<String>,
    results_per_page: Option<u64>,
    found: Option<u64>,
}

struct FeedVisitor<'f> {
    each: &'f mut dyn FnMut(Record),
}

impl<'de> Visitor<'de> for FeedVisitor<'_> {
    type Value = Header;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an NVD 2.0 object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "format" => header.format = Some(map.next_value()?),
                "version" => header.version = Some(map.next_value()?),
                "resultsPerPage" => header.results_per_page = Some(map.next_value()?),
                "vulnerabilities" if header.found.is_some() => {
                    return Err(serde::de::Error::custom("`vulnerabilities` stands twice"));
                }
                "vulnerabilities" => header.found = Some(map.next_value_seed(Items { each: self.each })?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(header)
    }
}

struct Items<'f> {
    each: &'f mut dyn FnMut(Record),
}

impl<'de> serde::de::DeserializeSeed<'de> for Items<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = u64;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of vulnerabilities")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while let Some(item) = items.next_element::<Item<'de>>()? {
            count += 1;
            (self.each)(item.cve.into_record());
        }
        Ok(count)
    }
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    cve: Cve<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve<'a> {
    id: String,
    published: Option<String>,
    last_modified: Option<String>,
    #[serde(default)]
    vuln_status: String,
    #[serde(default, borrow)]
    descriptions: Vec<Description<'a>>,
    #[serde(default)]
    metrics: BTreeMap<String, Vec<Metric>>,
    #[serde(default, borrow)]
    configurations: Vec<Configuration<'a>>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    lang: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(rename = "type", default)]
    kind: String,
    cvss_data: CvssData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CvssData {
    base_score: Option<f64>,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
}

#[derive(Deserialize)]
struct Configuration<'a> {
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
type Key = (Product, Platform, Vec<Product>);

impl Cve<'_> {
    fn into_record(self) -> Record {
        let description =
            self.descriptions.iter().find(|text| text.lang.starts_with("en")).map_or("", |text| &text.value);
        let mut record = Record::new(self.id.clone());
        record.published = self.published.as_deref().and_then(timestamp);
        record.modified = self.last_modified.as_deref().and_then(timestamp);
        record.score = score(&self.metrics);
        record.withdrawn = self.vuln_status == "Rejected";
        if !record.withdrawn {
            let mut products: BTreeMap<Key, Vec<VersionRange>> = BTreeMap::new();
            for configuration in &self.configurations {
                configuration.collect(&mut products);
            }
            record.affected = affected(products, description);
        }
        description.clone_into(&mut record.title);
        record.references = self.references.into_iter().map(|reference| reference.url).collect();
        record
    }
}

/// The newest CVSS version's score, NVD's own ("Primary") before a CNA's.
fn score(metrics: &BTreeMap<String, Vec<Metric>>) -> Option<Score> {
    ["cvssMetricV40", "cvssMetricV31", "cvssMetricV30", "cvssMetricV2"].iter().find_map(|version| {
        let scored = metrics.get(*version)?;
        let primary = scored.iter().find(|metric| metric.kind == "Primary");
        primary.or(scored.first()).and_then(|metric| metric.cvss_data.base_score).and_then(Score::from_number)
    })
}

/// NVD writes timestamps without an offset and means UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

impl<'a> Configuration<'a> {
    fn collect(&self, products: &mut BTreeMap<Key, Vec<VersionRange>>) {
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
        let mut platform = platform_of(cpe.target_software);
        if elsewhere || (node.operator == "AND" && node.is_bound_to_foreign(&self.criteria)) {
            platform = Platform::Foreign;
        }
        let mut name = unescape(cpe.product).into_owned();
        match cpe.software_edition {
            // An extended support release is a product of its own elsewhere in NVD, with its own version line.
            "esr" if !name.ends_with("_esr") => name.push_str("_esr"),
            "enterprise" | "premium" | "pro" | "professional" | "ultimate" | "commercial" => {
                platform = platform.max(Platform::PaidEdition)
            }
            _ => {}
        }
        let product = Product::cpe(cpe.part, unescape(cpe.vendor), name);
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

fn affected(products: BTreeMap<Key, Vec<VersionRange>>, description: &str) -> Vec<Affected> {
    let stated = prose::for_products(description, products.keys().map(|(product, ..)| product));
    products
        .into_iter()
        .map(|((product, platform, together_with), versions)| {
            let mut entry = Affected::new(product, Scheme::Generic);
            entry.versions = ranges::bounded_by_list(prose::complete(
                versions,
                stated.get(&entry.product).map_or(&[][..], Vec::as_slice),
            ));
            entry.platform = if prose::is_about_extension(description, entry.product.name()) {
                platform.max(Platform::Plugin)
            } else {
                platform
            };
            entry.together_with = together_with;
            entry.fixed = entry
                .versions
                .iter()
                .filter_map(|range| match &range.high {
                    Bound::Excluding(version) => Some(version.clone()),
                    _ => None,
                })
                .collect();
            entry.fixed.sort();
            entry.fixed.dedup();
            entry
        })
        .collect()
}
