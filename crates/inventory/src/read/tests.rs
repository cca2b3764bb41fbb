//! Targets as people name them: files, folders and archives of good and bad documents, words that are none.

use super::*;
use std::fs;
use std::io::Write;

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

fn read_plainly(path: &Path) -> Inventory {
    read(path.to_str().unwrap(), &ReadOptions::default())
}

const SBOM: &[u8] = br#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components":
    [{"type": "library", "name": "zlib", "version": "1.2.11", "purl": "pkg:generic/zlib@1.2.11"}]}"#;

#[test]
fn a_word_that_names_nothing_is_a_problem() {
    for (word, wanted) in [
        ("nonsense", "no such file, store path or repository"),
        ("github:auxolotl/core", "has to be fetched first"),
        ("", "no such file"),
    ] {
        let inventory = read(word, &ReadOptions::default());
        assert_eq!(inventory.kind, TargetKind::Unrecognised);
        assert!(inventory.problems[0].message.contains(wanted), "{:?}", inventory.problems);
    }
}

#[test]
fn a_file_that_is_no_inventory_is_a_problem_that_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (bytes, wanted) in [
        (b"".as_slice(), "is empty"),
        (b"\n \n", "is empty"),
        (b"\x7fELF\0\0", "binary"),
        (b"<!DOCTYPE html>\n<title>404</title>", "HTML page"),
        (b"<?xml version='1.0'?><bom/>", "is XML"),
        (b"This is a letter.\nIt has no names in it.\n", "no list of package names"),
        (b"{\"a\": 1}", "its keys: a"),
        (b"{\"a\": ", "not readable as JSON"),
        (b"[]", "without anything in it"),
        (b"\x28\xb5\x2f\xfd\x00", "damaged or truncated zstd data"),
        (b"\x1f\x8b\x08", "damaged or truncated gzip data"),
    ] {
        write(&path, bytes);
        let inventory = read_plainly(&path);
        assert_eq!(inventory.kind, TargetKind::Unrecognised, "{wanted}");
        assert!(inventory.components.is_empty());
        assert_eq!(inventory.problems.len(), 1, "{:?}", inventory.problems);
        let problem = &inventory.problems[0];
        assert_eq!(problem.subject, path.to_str().unwrap());
        assert!(problem.message.contains(wanted), "{problem:?}");
    }
}

#[test]
fn every_kind_is_detected_and_packing_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (bytes, kind) in [
        (b"openssl-3.0.13\nhello\n".as_slice(), TargetKind::NameList),
        (b"pkg:npm/foo@1.2\n", TargetKind::PurlList),
        (b"curl-7.1nb2     Client for URLs\n", TargetKind::PkgsrcList),
        (b"[[\"curl-7.1nb2\"]]", TargetKind::PkgsrcList),
        (b"{\"name\": \"x\", \"pkgsrc\": [\"curl-7.1nb2\"]}", TargetKind::TritonManifest),
        (SBOM, TargetKind::CycloneDx),
        (
            br#"{"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "a", "name": "zlib", "versionInfo": "1"}]}"#,
            TargetKind::Spdx,
        ),
    ] {
        for pack in [false, true] {
            let packed = if pack { zstd::encode_all(bytes, 1).unwrap() } else { bytes.to_vec() };
            write(&path, &packed);
            let inventory = read_plainly(&path);
            assert_eq!(inventory.kind, kind);
            assert!(!inventory.components.is_empty(), "{kind:?}");
            assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
        }
    }
}

#[test]
fn an_ecosystem_that_was_given_outranks_what_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let named = |text: &[u8], ecosystem: &str| {
        write(&path, text);
        let options = ReadOptions { ecosystem: Some(Ecosystem::new(ecosystem)), ..ReadOptions::default() };
        let inventory = read(path.to_str().unwrap(), &options);
        let first = &inventory.components[0];
        (inventory.kind, first.ecosystem.as_str().to_owned(), first.name.clone(), first.version.clone())
    };
    let owned = |kind, ecosystem: &str, name: &str, version: &str| {
        (kind, ecosystem.to_owned(), name.to_owned(), version.to_owned())
    };
    assert_eq!(named(b"p5-Foo-1.2\n", "pkgsrc"), owned(TargetKind::PkgsrcList, "pkgsrc", "p5-Foo", "1.2"));
    assert_eq!(named(b"curl-7.1nb2\n", "nix"), owned(TargetKind::NameList, "nix", "curl", "7.1nb2"));
    assert_eq!(named(b"@a/b@1.2\n", "npm"), owned(TargetKind::NameList, "npm", "@a/b", "1.2"));
}

#[test]
fn a_folder_or_tar_of_good_and_bad_files_gives_the_good_and_names_the_bad() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mixed");
    fs::create_dir(&root).unwrap();
    let files: &[(&str, &[u8])] = &[
        ("a.json", SBOM),
        ("b.json", b"{\"bomFormat\": \"CycloneDX\", "),
        ("c.txt", b"openssl-3.0.13\n"),
        ("d.html", b"<html></html>"),
        ("e", b""),
    ];
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        write(&root.join(name), bytes);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    let archive = folder.path().join("mixed.tar.zst");
    write(&archive, &zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap());
    for path in [&root, &archive] {
        let inventory = read_plainly(path);
        assert_eq!(inventory.kind, TargetKind::CycloneDx);
        let names: Vec<_> = inventory.components.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["zlib", "openssl"]);
        let subjects: Vec<_> = inventory.problems.iter().map(|one| one.subject.chars().next_back().unwrap()).collect();
        assert_eq!(subjects, ['n', 'l', 'e']);
    }
}

#[test]
fn empty_folders_and_links_to_nowhere_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_plainly(folder.path()).problems[0].message.contains("without a file"));
    let link = folder.path().join("result");
    std::os::unix::fs::symlink("/nonexistent/store/path", &link).unwrap();
    assert!(read_plainly(&link).problems[0].message.contains("leads nowhere"));
    write(&folder.path().join("flake.nix"), b"{}");
    assert!(read_plainly(folder.path()).problems[0].message.contains("flake.lock"));
}

#[test]
fn a_list_longer_than_any_buffer_is_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    for number in 0..50_000 {
        writeln!(file, "package{number}-1.{number}").unwrap();
    }
    file.into_inner().unwrap();
    let inventory = read_plainly(&path);
    assert_eq!((inventory.components.len(), inventory.problems.len()), (50_000, 0));
}
