//! CISA's catalogue of known exploited vulnerabilities (KEV JSON, `known_exploited_vulnerabilities_schema.json`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use crate::document::timestamp;
use crate::record::Record;

/// Why a document is not the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum KevError {
    #[error("not a KEV document: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it holds {found} of the {stated} vulnerabilities it states; the file is cut short")]
    Incomplete { stated: u64, found: u64 },
    #[error("`{0}` stands where a CVE id should")]
    Id(String),
    #[error("{id} has no day it was added, but `{date}`")]
    Date { id: String, date: String },
}

/// What is known to be exploited, and since when CISA says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kev {
    pub catalog_version: String,
    pub released: Option<Timestamp>,
    pub added: BTreeMap<String, Date>,
}

impl Kev {
    /// Marks the records that the catalogue lists, under any of their names; with `day`, as the catalogue stood then.
    pub fn mark(&self, records: &mut [Record], day: Option<Date>) {
        for record in records {
            let listed = |id: &String| self.added.get(id).is_some_and(|added| day.is_none_or(|day| *added <= day));
            record.kev |= listed(&record.id) || record.aliases.iter().any(listed);
        }
    }
}

/// Reads the whole catalogue.
pub fn read(document: &[u8]) -> Result<Kev, KevError> {
    let catalogue: Catalogue = serde_json::from_slice(document)?;
    let found = u64::try_from(catalogue.vulnerabilities.len()).unwrap_or(u64::MAX);
    if let Some(stated) = catalogue.count.filter(|stated| *stated != found) {
        return Err(KevError::Incomplete { stated, found });
    }
    let mut added = BTreeMap::new();
    for Entry { id, date_added } in catalogue.vulnerabilities {
        if !crate::cve_ids::is_cve_id(&id) {
            return Err(KevError::Id(id));
        }
        let Ok(date) = date_added.parse::<Date>() else { return Err(KevError::Date { id, date: date_added }) };
        // A CVE listed twice has been known since the first of the two days.
        added.entry(id).and_modify(|first: &mut Date| *first = date.min(*first)).or_insert(date);
    }
    let released = catalogue.date_released.as_deref().and_then(timestamp);
    Ok(Kev { catalog_version: catalogue.catalog_version, released, added })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue {
    catalog_version: String,
    date_released: Option<String>,
    count: Option<u64>,
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    id: String,
    #[serde(rename = "dateAdded")]
    date_added: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"catalogVersion":"2025.08.25","dateReleased":"2025-08-25T17:04:19.9796Z","count":1,
        "vulnerabilities":[{"cveID":"CVE-2025-48384","dateAdded":"2025-08-25"}]}"#;

    #[test]
    fn listed_records_are_marked_from_the_day_they_were_added() {
        let kev = read(GOOD.as_bytes()).unwrap();
        assert_eq!(kev.catalog_version, "2025.08.25");
        let mut records = vec![Record::new("CVE-2025-48384"), Record::new("CVE-2025-1"), Record::new("GHSA-1")];
        records[2].aliases.insert("CVE-2025-48384".to_owned());
        kev.mark(&mut records, Some(jiff::civil::date(2025, 8, 24)));
        assert!(records.iter().all(|record| !record.kev));
        kev.mark(&mut records, Some(jiff::civil::date(2025, 8, 25)));
        assert_eq!(records.iter().map(|record| record.kev).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn what_is_no_whole_catalogue_is_refused() {
        for (from, to, says) in [
            ("\"count\":1", "\"count\":2", "1 of the 2"),
            ("CVE-2025-48384", "48384", "CVE id"),
            ("\"2025-08-25\"}", "\"soon\"}", "no day"),
            ("catalogVersion", "version", "missing field `catalogVersion`"),
            ("\"count\":1", "\"vulnerabilities\":[]", "duplicate field"),
        ] {
            let error = read(GOOD.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
