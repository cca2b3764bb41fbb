//! Every record of the real corpora is read; what cannot be read is named.

use std::path::Path;

use crate::corpora::corpus;
use aux_advisory::{Product, Record, cve5, kev, osv, pkg_vulnerabilities};

/// The JSON files of a tar.zst whose path `wanted` accepts.
fn unpacked(path: &Path, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    use std::io::Read as _;
    let packed = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(packed).unwrap());
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if wanted(&name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.push((name, content));
        }
    }
    files
}

#[test]
fn every_osv_record_is_read_with_ranges_and_its_cpe_products() {
    let Some(path) = corpus("osv/bitnami.tar.zst") else { return };
    let mut records: Vec<Record> = Vec::new();
    for (name, content) in
        unpacked(&path, |name| Path::new(name).extension().is_some_and(|extension| extension == "json"))
    {
        osv::read(&content, &mut |record| records.push(record)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(records.len(), 7_444);
    assert!(records.iter().all(|record| record.published.is_some() && !record.affected.is_empty()));
    assert!(records.iter().flat_map(|record| &record.affected).all(|entry| !entry.versions.is_empty()));
    assert_eq!(records.iter().filter(|record| record.score.is_none()).count(), 11);
    let with_cpe = records
        .iter()
        .filter(|record| record.affected.iter().any(|entry| matches!(entry.product, Product::Cpe { .. })));
    assert_eq!(with_cpe.count(), 7_444);
}

#[test]
fn every_pkgsrc_entry_is_read_and_both_checksums_hold() {
    let Some(path) = corpus("pkgsrc/pkg-vulnerabilities-2011") else { return };
    let mut records = Vec::new();
    let list = pkg_vulnerabilities::read(&std::fs::read(path).unwrap(), &mut |record| records.push(record)).unwrap();
    assert_eq!((list.revision.as_deref(), list.format.as_str()), (Some("1.3823"), "1.1.0"));
    assert_eq!(list.checksums, ["SHA1", "SHA512"]);
    assert_eq!(list.problems, []);
    // 5 186 lines of the file have tabs between fields; two of them are comments.
    assert_eq!(list.entries, 5_184);
    assert_eq!(records.iter().filter(|record| record.id.starts_with("CVE-")).count(), 1_595);
}

#[test]
fn every_known_exploited_vulnerability_is_read() {
    let Some(path) = corpus("kev/known_exploited_vulnerabilities.json") else { return };
    let kev = kev::read(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((kev.catalog_version.as_str(), kev.added.len()), ("2025.08.25", 1_404));
}

#[test]
fn every_cve_5_record_of_openssl_is_read_with_its_lettered_ranges() {
    let Some(path) = corpus("cve5/openssl.tar.zst") else { return };
    let is_record = |name: &str| name.rsplit('/').next().is_some_and(|file| file.starts_with("CVE-"));
    let mut records: Vec<Record> = Vec::new();
    for (name, content) in unpacked(&path, is_record) {
        cve5::read(&content, &mut |record| records.push(record)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(records.len(), 272);
    let openssl = Product::read("a:openssl:openssl").unwrap();
    for record in &records {
        assert!(record.published.is_some(), "{}", record.id);
        assert!(
            record.affected.iter().all(|entry| entry.product == openssl && !entry.versions.is_empty()),
            "{}",
            record.id
        );
    }
    let ranges: usize = records.iter().flat_map(|record| &record.affected).map(|entry| entry.versions.len()).sum();
    assert_eq!(ranges, 687);
}
