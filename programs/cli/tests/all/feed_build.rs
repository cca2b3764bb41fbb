//! `aux feed build`: every source in every packing, the same bytes from the same inputs, and nothing from bad ones.

use std::fs;
use std::io::Write;

use crate::fixtures;
use crate::world::World;

const ALL: &str =
    "--nvd nvd.json --osv osv.json --cve5 cve5.json --pkgsrc pkg-vulnerabilities --kev kev.json --triage triage";

fn built(world: &World, arguments: &str) -> Vec<u8> {
    let said = world.run(&format!("feed build {arguments} --output out.auxdb"));
    assert_eq!(said.code, Some(0), "{arguments}: {}", said.shown());
    fs::read(world.path("out.auxdb")).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // The builder itself would refuse the names that a hostile archive has.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn every_source_goes_in_and_the_output_says_so() {
    let mut world = World::empty();
    fixtures::sources(&world);
    world.show(&format!("feed build {ALL} --output feed.auxdb"));
    world.show("feed show feed.auxdb");
    world.show(&format!("feed build {ALL} --as-of 2021-01-03 --output feed.auxdb"));
    world.show(&format!("feed build {ALL} --as-of 2000-01-01 --output feed.auxdb"));
    world.show(&format!("feed build {ALL} --details feed.auxdetails --output feed.auxdb -q"));
    world.file("names", "zlib-1.2.11\n");
    world.show("audit names --feed feed.auxdb");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_same_inputs_give_the_same_bytes_in_any_order_and_packing() {
    let world = World::empty();
    fixtures::sources(&world);
    let wanted = built(&world, ALL);
    let turned: Vec<&str> = ALL.split(" --").collect();
    let turned: Vec<String> = turned.iter().rev().map(|part| format!("--{}", part.trim_start_matches("--"))).collect();
    assert_eq!(built(&world, &turned.join(" ")), wanted);
    // Two documents in place of one, given in both orders, as a folder, and as archives.
    let nvd = fixtures::nvd();
    let items = nvd["vulnerabilities"].as_array().unwrap();
    let part = |items: &[serde_json::Value]| {
        serde_json::json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items }).to_string()
    };
    let (one, two) = (part(&items[..2]), part(&items[2..]));
    world.file("parts/one.json", &one).file("parts/two.json", &two);
    let files: [(&str, &[u8]); 2] = [("two.json", two.as_bytes()), ("one.json", one.as_bytes())];
    world.bytes("parts.tar", &tar(&files)).bytes("parts.tar.gz", &gzip(&tar(&files)));
    world.bytes("parts.tar.zst", &zstd::encode_all(&*tar(&files), 3).unwrap());
    world.bytes("nvd.json.gz", &gzip(nvd.to_string().as_bytes()));
    for nvd in [
        "parts/one.json parts/two.json",
        "parts/two.json parts/one.json",
        "parts/two.json --nvd parts/one.json",
        "parts",
        "parts.tar",
        "parts.tar.gz",
        "parts.tar.zst",
        "nvd.json.gz",
        "nvd.json nvd.json.gz parts",
    ] {
        let arguments = ALL.replace("--nvd nvd.json", &format!("--nvd {nvd}"));
        assert_eq!(built(&world, &arguments), wanted, "{nvd}");
    }
}

#[test]
fn one_bad_document_and_nothing_is_written() {
    let mut world = World::empty();
    fixtures::sources(&world);
    let nvd = fixtures::nvd().to_string();
    fs::create_dir(world.path("hollow")).unwrap();
    world.file("bad/good.json", &nvd).file("bad/cut.json", &nvd[..nvd.len() / 2]);
    world.file("old.json", &nvd.replace("\"2.0\"", "\"1.1\"").replace("\"vulnerabilities\"", "\"CVE_Items\""));
    world.file("version.json", &nvd.replace("\"version\":\"2.0\"", "\"version\":\"1.1\""));
    world.file("twice.json", &nvd.replace("\"vulnerabilities\":[", "\"vulnerabilities\":[],\"vulnerabilities\":["));
    world
        .file("empty.json", "")
        .file("deep.json", &"[".repeat(100_000))
        .file("none.json", "{\"format\":\"NVD_CVE\",\"version\":\"2.0\",\"vulnerabilities\":[]}");
    world.bytes("latin1.json", b"{\"format\": \"NVD_CVE\xe9\"}");
    for source in [
        "--nvd bad",
        "--nvd old.json",
        "--nvd version.json",
        "--nvd twice.json",
        "--nvd empty.json",
        "--nvd deep.json",
        "--nvd none.json",
        "--nvd latin1.json",
        "--nvd nowhere",
        "--nvd hollow",
        "--nvd nvd.json --osv hollow",
        "--nvd osv.json",
        "--osv nvd.json",
        "--cve5 nvd.json",
        "--pkgsrc nvd.json",
        "--nvd nvd.json --kev nvd.json",
        "--nvd nvd.json --triage nowhere",
        "--nvd nvd.json --triage nvd.json",
    ] {
        let said = world.show(&format!("feed build {source} --output out.auxdb"));
        assert_eq!(said.code, Some(2), "{source}: {}", said.shown());
        assert!(!world.path("out.auxdb").exists(), "{source}");
    }
    world.show("feed build --nvd nvd.json --output nowhere/out.auxdb");
    insta::assert_snapshot!(world.transcript());
}
