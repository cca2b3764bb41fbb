//! What strangers and pushers send, damaged in some hundred ways: it ends in a value or an error, never in a panic, and what is
//! taken is what it says.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use aux_nix::nar::Writer;
use aux_nix::{NarInfo, Sha256};
use damage::{every_form, every_text, forms};

use crate::catalogue::Kept;
use crate::objects::cut::Cutter;
use crate::objects::reference::Reference;
use crate::objects::{Keep, Layout, Objects};
use crate::packing::{Packing, unpacked};
use crate::policy::{Policy, Sbom};
use crate::receive::{Awaited, receive};
use crate::records::Records;
use crate::upstream::Netrc;

const STORE: &str = "/nix/store";
const POLICY: &str = r#"
when-affected = "withdraw"
feed-age-days-max = 2

[[rule]]
name = "origin"
any = [
  { signed-by = ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="], at-least = 1 },
  { listed = ["01rwx9dqpbp7r777v319h2acnmqqawp0-our-tool-1.0"] },
]

[[rule]]
name = "no critical"
any = [{ audit = "severity:critical,kev" }]

[[rule]]
name = "licences"
any = [{ licence = { deny = ["AGPL-3.0-only"] } }, { name = ["settings", "unit-*.service"] }]
"#;
const NETRC: &str =
    "machine cache.example.org login nix password \"a b\" # ours\nmacdef init\ncd /\n\ndefault login x password y\n";

/// A file with a store path in it, in a folder.
fn nar() -> Vec<u8> {
    let words = "words between two store paths ".repeat(20);
    let text = format!("{words}{STORE}/{}-library-1.0/lib\n", "0a".repeat(16)).repeat(5);
    let mut writer = Writer::new(Vec::new());
    writer.directory().unwrap();
    writer.entry(b"run").unwrap();
    writer.file(true, text.len() as u64).unwrap();
    writer.content(text.as_bytes()).unwrap();
    writer.end_file().unwrap();
    writer.leave().unwrap();
    writer.finish().unwrap()
}

/// As it is sent in each packing that can be written here, and in three frames.
fn packed(nar: &[u8]) -> Vec<(Packing, Vec<u8>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut bzip2 = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    let mut brotli = ::brotli::CompressorWriter::new(Vec::new(), 4096, 2, 22);
    gzip.write_all(nar).unwrap();
    bzip2.write_all(nar).unwrap();
    brotli.write_all(nar).unwrap();
    let frames = nar.chunks(nar.len() / 2).map(|piece| zstd::bulk::compress(piece, 3).unwrap());
    vec![
        (Packing::None, nar.to_vec()),
        (Packing::Zstd, frames.collect::<Vec<_>>().concat()),
        (Packing::Gzip, gzip.finish().unwrap()),
        (Packing::Bzip2, bzip2.finish().unwrap()),
        (Packing::Brotli, brotli.into_inner()),
    ]
}

fn objects(data: &std::path::Path, keep: Keep) -> Objects {
    let records = Arc::new(Records::open(data).unwrap());
    let incoming = data.join("incoming");
    let layout = Layout { data, incoming: &incoming, store_directory: STORE, keep, is_shared: false };
    Objects::open(&layout, &records, None).unwrap()
}

#[test]
fn what_is_pushed_damaged_is_refused_or_hashed_as_it_unpacks() {
    let nar = nar();
    for keep in [Keep::Whole, Keep::Chunks] {
        let data = tempfile::tempdir().unwrap();
        let objects = objects(data.path(), keep);
        for (packing, sent) in packed(&nar) {
            let awaited = Awaited { packing: Some(packing), ..Awaited::default() };
            assert!(receive(&mut &*sent, &objects, awaited).is_ok());
            forms(&sent, &|form| {
                let Ok((received, _)) = receive(&mut &*form, &objects, awaited) else { return };
                let mut whole = Vec::new();
                unpacked(form, received.packing).unwrap().read_to_end(&mut whole).unwrap();
                assert_eq!((received.nar_hash, received.nar_size), (Sha256::of(&whole), whole.len() as u64));
                assert_eq!((received.file_hash, received.file_size), (Sha256::of(form), form.len() as u64));
            });
        }
    }
}

#[test]
fn a_damaged_reference_is_refused_or_gives_the_nar_that_it_names() {
    let nar = nar();
    let data = tempfile::tempdir().unwrap();
    let objects = objects(data.path(), Keep::Chunks);
    let sent = zstd::bulk::compress(&nar, 3).unwrap();
    let (received, arriving) = receive(&mut &*sent, &objects, Awaited::default()).unwrap();
    objects.keep(arriving, &received).unwrap();
    let mut cutter = Cutter::new(STORE);
    cutter.push(&nar);
    let cut = cutter.next(true).unwrap().settled();
    assert_eq!(cut.holes.len(), 5);
    let reference = Reference::to(&cut, cut.digest()).write().unwrap();
    let awaited = Awaited { may_refer: Some(&|_| true), ..Awaited::default() };
    let (again, _) = receive(&mut &*reference, &objects, awaited).unwrap();
    assert_eq!(again.nar_hash, received.nar_hash);
    assert!(receive(&mut &*reference, &objects, Awaited::default()).is_err(), "who may not refer");
    forms(&reference, &|form| {
        if let Ok((received, _)) = receive(&mut &*form, &objects, awaited) {
            assert_eq!(received.nar_size, nar.len() as u64, "with other hashes in its holes, or the very same");
        }
    });
}

#[test]
fn a_damaged_narinfo_is_kept_byte_by_byte_or_not_at_all() {
    every_text("narinfo", &|text| {
        if let Some(kept) = Kept::cut(1, text, None) {
            assert_eq!(String::from_utf8(kept.narinfo(false)).unwrap(), text);
        }
    });
    every_form("narinfo", &|bytes| {
        let Ok(info) = NarInfo::parse(bytes) else { return };
        let printed = info.print();
        if let Some(kept) = Kept::cut(1, &printed, None) {
            assert_eq!(kept.narinfo(false), printed.as_bytes());
        }
    });
}

#[test]
fn damaged_policies_inventories_and_password_files_are_refused_or_read() {
    let text = |seed: &str, parse: &dyn Fn(&str)| {
        forms(seed.as_bytes(), &|bytes| parse(&String::from_utf8_lossy(bytes)));
    };
    text(POLICY, &|text| drop(Policy::parse(text)));
    assert!(Policy::parse(POLICY).is_ok());
    text(NETRC, &|text| drop(Netrc::parse(text).map_err(|(line, _)| assert!(line > 0))));
    assert!(Netrc::parse(NETRC).is_ok());
    for kind in ["cyclonedx", "spdx"] {
        every_text(kind, &|text| drop(Sbom::parse(text, STORE)));
    }
}
