//! NVD 2.0 JSON: API pages and yearly `nvdcve-2.0-YYYY.json` files (NVD "CVE API" reference, `cve_api_json_2.0` schema).

use std::borrow::Cow;
use std::collections::BTreeMap;

use aux_core::Score;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::configuration::{Configuration, Key, affected};
use crate::document::{Description, timestamp, vector_score};
use crate::record::{Record, Source, VersionRange};

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
    vector_string: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
}

impl Cve<'_> {
    fn into_record(self) -> Record {
        let description =
            self.descriptions.iter().find(|text| text.lang.starts_with("en")).map_or("", |text| &text.value);
        let mut record = Record::new(self.id.clone());
        record.source = Source::Nvd;
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
        let data = &primary.or(scored.first())?.cvss_data;
        // The score follows from the vector, so one that was left out is no reason to call the severity unknown.
        let stated = data.base_score.and_then(Score::from_number);
        stated.or_else(|| data.vector_string.as_deref().and_then(vector_score))
    })
}
