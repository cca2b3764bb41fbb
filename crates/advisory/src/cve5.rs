//! CVE records as the CVE Program publishes them (CVE JSON record format 5.x), one or a JSON list of them.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::version::Scheme;
use aux_core::{Ecosystem, Score};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::conditions::platform_of;
use crate::configuration::{Configuration, Key, affected as configured, named};
use crate::cpe::{Cpe, Part};
use crate::cve_ids::is_cve_id;
use crate::document::{Description, is_major, or_default, timestamp, vector_score};
use crate::prose;
use crate::record::{Affected, Platform, Product, Record, Source, VersionRange};
use crate::statuses::{Status, VersionEntry, judge};

/// Why a document is not CVE JSON 5.
#[derive(Debug, thiserror::Error)]
pub enum Cve5Error {
    #[error("not a CVE JSON 5 document: {0}")]
    Json(#[from] serde_json::Error),
}

/// Hands every record of the document to `each`.
pub fn read(document: &[u8], each: &mut dyn FnMut(Record)) -> Result<(), Cve5Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    if document.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        deserializer.deserialize_seq(List { each })?;
        return Ok(deserializer.end()?);
    }
    let entry = Entry::deserialize(&mut deserializer)?;
    deserializer.end()?;
    entry.check::<serde_json::Error>()?;
    each(entry.into_record());
    Ok(())
}

struct List<'f> {
    each: &'f mut dyn FnMut(Record),
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of CVE records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(entry) = items.next_element::<Entry<'de>>()? {
            entry.check()?;
            (self.each)(entry.into_record());
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    data_type: Option<String>,
    data_version: Option<String>,
    cve_metadata: Metadata,
    #[serde(borrow)]
    containers: Containers<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    #[serde(default, deserialize_with = "or_default")]
    state: String,
    date_published: Option<String>,
    date_updated: Option<String>,
}

#[derive(Deserialize)]
struct Containers<'a> {
    #[serde(borrow)]
    cna: Container<'a>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    adp: Vec<Container<'a>>,
}

/// What the numbering authority or somebody after it says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    date_public: Option<String>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    descriptions: Vec<Description<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<AffectedEntry>,
    #[serde(default, borrow, deserialize_with = "or_default")]
    cpe_applicability: Vec<Configuration<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    metrics: Vec<Metric>,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AffectedEntry {
    vendor: Option<String>,
    product: Option<String>,
    package_name: Option<String>,
    #[serde(rename = "collectionURL")]
    collection_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    cpes: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    platforms: Vec<String>,
    default_status: Option<Status>,
    #[serde(default, deserialize_with = "or_default")]
    versions: Vec<VersionEntry>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(rename = "cvssV4_0")]
    v4_0: Option<Cvss>,
    #[serde(rename = "cvssV3_1")]
    v3_1: Option<Cvss>,
    #[serde(rename = "cvssV3_0")]
    v3_0: Option<Cvss>,
    #[serde(rename = "cvssV2_0")]
    v2_0: Option<Cvss>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    base_score: Option<f64>,
    vector_string: Option<String>,
}

impl Cvss {
    fn score(&self) -> Option<Score> {
        let stated = self.base_score.and_then(Score::from_number);
        stated.or_else(|| self.vector_string.as_deref().and_then(vector_score))
    }
}

impl Entry<'_> {
    fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        let id = &self.cve_metadata.cve_id;
        if !is_cve_id(id) {
            return Err(E::custom(format_args!("`{id}` is not a CVE id")));
        }
        match (self.data_type.as_deref(), self.data_version.as_deref()) {
            (Some("CVE_RECORD"), Some(version)) if is_major(version, "5") => Ok(()),
            (Some("CVE_RECORD"), version) => {
                let version = version.unwrap_or("none");
                Err(E::custom(format_args!("data version `{version}` of {id} is not 5.x")))
            }
            (kind, _) => {
                Err(E::custom(format_args!("data type `{}` of {id} is not CVE_RECORD", kind.unwrap_or("none"))))
            }
        }
    }

    fn containers(&self) -> impl Iterator<Item = &Container<'_>> {
        std::iter::once(&self.containers.cna).chain(&self.containers.adp)
    }

    fn into_record(self) -> Record {
        let mut record = Record::new(self.cve_metadata.cve_id.clone());
        record.source = Source::Cve5;
        let cna = &self.containers.cna;
        let published = self.cve_metadata.date_published.as_deref().or(cna.date_public.as_deref());
        record.published = published.and_then(timestamp);
        record.modified = self.cve_metadata.date_updated.as_deref().and_then(timestamp);
        record.withdrawn = self.cve_metadata.state == "REJECTED";
        record.score = self.containers().find_map(|container| score(&container.metrics));
        let english = cna.descriptions.iter().find(|text| text.lang.starts_with("en"));
        let description = english.map_or("", |text| &text.value);
        if !record.withdrawn {
            record.affected = self.affected(description);
        }
        record.title = if cna.title.is_empty() { description.to_owned() } else { cna.title.clone() };
        let urls: BTreeSet<&String> =
            self.containers().flat_map(|container| &container.references).map(|reference| &reference.url).collect();
        record.references = urls.into_iter().cloned().collect();
        record
    }

    fn affected(&self, description: &str) -> Vec<Affected> {
        let mut entries: Vec<Affected> = Vec::new();
        let mut products: BTreeMap<Key, Vec<VersionRange>> = BTreeMap::new();
        for container in self.containers() {
            container.affected.iter().for_each(|affected| affected.collect(&mut entries));
            container.cpe_applicability.iter().for_each(|configuration| configuration.collect(&mut products));
        }
        let stated = prose::for_products(description, entries.iter().map(|entry| &entry.product));
        for entry in &mut entries {
            let stated = stated.get(&entry.product).map_or(&[][..], Vec::as_slice);
            entry.versions = prose::complete(std::mem::take(&mut entry.versions), stated);
        }
        entries.extend(configured(products, description));
        entries
    }
}

/// The score of the newest CVSS version given.
fn score(metrics: &[Metric]) -> Option<Score> {
    let versions: [fn(&Metric) -> Option<&Cvss>; 4] = [
        |metric| metric.v4_0.as_ref(),
        |metric| metric.v3_1.as_ref(),
        |metric| metric.v3_0.as_ref(),
        |metric| metric.v2_0.as_ref(),
    ];
    versions.iter().find_map(|version| metrics.iter().filter_map(version).find_map(Cvss::score))
}

impl AffectedEntry {
    fn collect(&self, entries: &mut Vec<Affected>) {
        let mut products: BTreeSet<(Product, Platform)> =
            self.cpes.iter().filter_map(|text| Cpe::read(text)).map(|cpe| named(&cpe)).collect();
        if products.is_empty() {
            products.extend(self.named());
        }
        products.extend(self.package().map(|product| (product, Platform::Any)));
        let is_foreign = !self.platforms.is_empty()
            && self.platforms.iter().all(|name| platform_of(&name.to_ascii_lowercase()) == Platform::Foreign);
        for (product, platform) in products {
            let scheme = match &product {
                Product::Package { ecosystem, .. } if matches!(ecosystem.as_str(), "npm" | "cargo" | "golang") => {
                    Scheme::Semver
                }
                _ => Scheme::Generic,
            };
            let verdict = judge(self.default_status.unwrap_or(Status::Unknown), &self.versions, scheme);
            if verdict.is_unaffected {
                continue;
            }
            let mut entry = Affected::new(product, scheme);
            entry.platform = if is_foreign && platform != Platform::PaidEdition { Platform::Foreign } else { platform };
            entry.versions = verdict.affected;
            entry.fixed = verdict.fixed;
            entries.push(entry);
        }
    }

    /// The vendor and product as CPE names would write them.
    fn named(&self) -> Option<(Product, Platform)> {
        let (vendor, product) = (name(self.vendor.as_deref()?)?, name(self.product.as_deref()?)?);
        Some(match (vendor.as_str(), product.as_str()) {
            // The kernel's own numbering authority calls it Linux by Linux.
            ("linux", "linux" | "linux_kernel") => {
                (Product::cpe(Part::OperatingSystem, "linux", "linux_kernel"), Platform::Any)
            }
            _ => (Product::cpe(Part::Application, vendor, product), Platform::Any),
        })
    }

    /// The package of a language's registry, where the collection is one we know.
    fn package(&self) -> Option<Product> {
        const REGISTRIES: [(&str, &str); 12] = [
            ("registry.npmjs.org", "npm"),
            ("npmjs.com", "npm"),
            ("pypi.org", "pypi"),
            ("pypi.python.org", "pypi"),
            ("crates.io", "crates.io"),
            ("rubygems.org", "RubyGems"),
            ("packagist.org", "Packagist"),
            ("repo.maven.apache.org", "maven"),
            ("pkg.go.dev", "Go"),
            ("hackage.haskell.org", "Hackage"),
            ("hex.pm", "Hex"),
            ("cpan.org", "cpan"),
        ];
        let name = self.package_name.as_deref().map(str::trim).filter(|name| !name.is_empty())?;
        let url = self.collection_url.as_deref()?;
        let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
        let host = host.strip_prefix("www.").unwrap_or(host);
        let (_, ecosystem) = REGISTRIES.iter().find(|(registry, _)| registry.eq_ignore_ascii_case(host))?;
        Some(Product::Package { ecosystem: Ecosystem::new(ecosystem), name: name.to_owned() })
    }
}

/// Lower case with `_` for blanks; nothing for the words that stand for "none".
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let is_none =
        ["", "n/a", "na", "unknown", "unspecified", "-", "*"].iter().any(|word| text.eq_ignore_ascii_case(word));
    (!is_none).then(|| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(affected: &str, more: &str) -> String {
        format!(
            r#"{{"dataType":"CVE_RECORD","dataVersion":"5.1",
            "cveMetadata":{{"cveId":"CVE-2024-0001","state":"PUBLISHED","datePublished":"2024-01-02T03:04:05"}},
            "containers":{{"cna":{{"descriptions":[{{"lang":"en","value":"Foo before 3.1 is wrong"}}],
            "affected":{affected}{more}}}}}}}"#
        )
    }

    fn record(text: &str) -> Record {
        let mut records = Vec::new();
        read(text.as_bytes(), &mut |record| records.push(record)).unwrap();
        records.remove(0)
    }

    fn shown(record: &Record) -> Vec<String> {
        let ranges = |entry: &Affected| entry.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        record.affected.iter().map(|entry| format!("{} {}", entry.product, ranges(entry))).collect()
    }

    #[test]
    fn vendor_and_product_become_a_cpe_product() {
        let text = document(
            r#"[{"vendor":"The Foo Team","product":"Foo Server","defaultStatus":"unaffected",
                 "versions":[{"version":"1.0","lessThan":"1.0.2k","status":"affected","versionType":"custom"}]},
                {"vendor":"n/a","product":"n/a","versions":[{"version":"n/a","status":"affected"}]},
                {"vendor":"Linux","product":"Linux","versions":[{"version":"4","lessThan":"5","status":"affected"}]},
                {"vendor":"x","product":"y","packageName":"left-pad","collectionURL":"https://registry.npmjs.org",
                 "defaultStatus":"unaffected","versions":[{"version":"0","lessThan":"1.3.0","status":"affected"}]}]"#,
            "",
        );
        assert_eq!(
            shown(&record(&text)),
            [
                "a:the_foo_team:foo_server >= 1.0, < 1.0.2k",
                "o:linux:linux_kernel >= 4, < 5",
                "a:x:y < 1.3.0",
                "npm/left-pad < 1.3.0"
            ]
        );
    }

    #[test]
    fn cpe_names_and_applicability_statements_are_read_as_nvd_writes_them() {
        let text = document(
            r#"[{"vendor":"V","product":"P","cpes":["cpe:2.3:a:real:name:*:*:*:*:*:node.js:*:*"],
                 "versions":[{"version":"1","lessThan":"2","status":"affected"}]}]"#,
            r#","cpeApplicability":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,
               "criteria":"cpe:2.3:a:other:thing:*:*:*:*:*:*:*:*","versionEndExcluding":"7"}]}]}]"#,
        );
        assert_eq!(shown(&record(&text)), ["a:real:name >= 1, < 2", "a:other:thing < 7"]);
    }

    #[test]
    fn the_description_completes_a_bare_list_and_scores_come_from_the_newest_version() {
        let text = document(
            r#"[{"vendor":"foo","product":"foo","versions":[{"version":"3.0","status":"affected"}]}]"#,
            r#","metrics":[{"cvssV3_1":{"baseScore":5.0}},
               {"cvssV4_0":{"vectorString":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}},
               {"format":"other","other":{"type":"t","content":{}}}]"#,
        );
        let record = record(&text);
        assert_eq!(shown(&record), ["a:foo:foo = 3.0 | < 3.1"]);
        assert_eq!((record.score.map(Score::tenths), record.source), (Some(93), Source::Cve5));
        assert_eq!(record.published, timestamp("2024-01-02T03:04:05Z"));
    }

    #[test]
    fn windows_only_is_elsewhere_and_rejected_affects_nothing() {
        let affected = r#"[{"vendor":"v","product":"p","platforms":["Windows","MacOS"],"defaultStatus":"affected"}]"#;
        let text = document(affected, "");
        assert_eq!(record(&text).affected[0].platform, Platform::Foreign);
        let rejected = record(&text.replace("PUBLISHED", "REJECTED"));
        assert!(rejected.withdrawn && rejected.affected.is_empty());
    }

    #[test]
    fn what_is_no_cve_5_record_is_refused() {
        let good = document("[]", "");
        for (from, to, says) in [
            ("\"5.1\"", "\"4.0\"", "data version `4.0` of CVE-2024-0001 is not 5.x"),
            ("CVE_RECORD", "CVE", "data type `CVE`"),
            ("CVE-2024-0001", "GHSA-1", "`GHSA-1` is not a CVE id"),
            ("\"dataVersion\"", "\"dataType\"", "duplicate field"),
            ("\"affected\":[]", "\"affected\":[],\"affected\":[]", "duplicate field"),
            ("\"cna\"", "\"cnb\"", "missing field `cna`"),
        ] {
            let error = read(good.replace(from, to).as_bytes(), &mut |_| {}).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(read(b"[", &mut |_| {}).is_err() && read(b"", &mut |_| {}).is_err());
    }
}
