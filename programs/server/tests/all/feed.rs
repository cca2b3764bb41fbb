//! Feeds for verdicts, made as a publisher makes them.

use std::path::Path;

use aux_feed::{BuildRequest, build};
use serde_json::{Value, json};

/// A feed at `path`, replaced as a sync would: with a critical advisory on each of these products (`vendor:product`).
pub(crate) fn publish(path: &Path, products: &[&str]) {
    let items: Vec<Value> = products.iter().enumerate().map(|(number, product)| item(number, product)).collect();
    let document = json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items });
    let sources = tempfile::tempdir().unwrap();
    let nvd = sources.path().join("nvd.json");
    aux_io::file::replace(&nvd, document.to_string().as_bytes()).unwrap();
    let request = BuildRequest {
        nvd: vec![nvd],
        osv: Vec::new(),
        cve5: Vec::new(),
        pkgsrc: Vec::new(),
        kev: Vec::new(),
        triage: None,
        pkgsrc_keys: Vec::new(),
        as_of: None,
        threads: 1,
        keeps_prose: false,
    };
    let index = build(&request, &|_, _| {}).unwrap().index;
    aux_io::file::replace(path, &index).unwrap();
}

fn item(number: usize, product: &str) -> Value {
    let id = format!("CVE-2021-{}", 10_001 + number);
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    json!({ "cve": {
        "id": id, "published": "2021-01-01T00:00:00.000", "lastModified": "2021-02-01T00:00:00.000",
        "vulnStatus": "Analyzed", "descriptions": [{ "lang": "en", "value": format!("What {id} is about.") }],
        "metrics": { "cvssMetricV31": [{ "type": "Primary", "cvssData": { "version": "3.1", "vectorString": vector } }] },
        "configurations": [{ "nodes": [{ "operator": "OR", "negate": false, "cpeMatch": [
            { "vulnerable": true, "criteria": format!("cpe:2.3:a:{product}:*:*:*:*:*:*:*:*"), "versionEndExcluding": "2" }] }] }],
        "references": [],
    }})
}
