//! Damaged documents of every source end in records or an error, never in a panic; so does a damaged index.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::identity::lookup_names;
use crate::index::{AdvisoryKey, Details, Facts, Index, compile};
use crate::merge::merge;
use crate::triage::{self, Triage};
use crate::{Cpe, Part, Product, Record, conditions, cve5, kev, nvd, osv, pkg_vulnerabilities, prose};
use aux_core::{Component, Ecosystem};
use damage::{every_form, every_text, forms};

fn facts() -> Facts {
    Facts { serial: 0, built: jiff::Timestamp::UNIX_EPOCH }
}

/// What was read merges the same in any order and compiles into an index that opens.
fn read<E>(target: &str, read: impl Fn(&[u8], &mut dyn FnMut(Record)) -> Result<(), E>) {
    every_form(target, &|bytes| {
        let mut records = Vec::new();
        if read(bytes, &mut |record| records.push(record)).is_ok() {
            let mut turned = records.clone();
            turned.reverse();
            let merged = merge(records);
            assert_eq!(merged, merge(turned));
            assert!(Index::open(&compile(merged, &Triage::default(), &facts())).is_ok());
        }
    });
}

#[test]
fn damaged_sources_are_refused_or_read() {
    read("nvd", nvd::read);
    read("osv", osv::read);
    read("cve5", cve5::read);
    read("pkg_vulnerabilities", |bytes, each| pkg_vulnerabilities::read(bytes, each).map(drop));
    every_form("kev", &|bytes| drop(kev::read(bytes)));
}

#[test]
fn a_damaged_signature_or_key_is_refused() {
    every_form("signature", &|bytes| {
        let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (key, list) = bytes.split_at(at);
        let list = pkg_vulnerabilities::read(list.get(1..).unwrap_or_default(), &mut |_| {});
        drop(list.map(|list| list.signature.map(|signature| signature.verify(key))));
    });
}

#[test]
fn damaged_decisions_are_refused_with_a_line_that_is_there() {
    every_text("triage", &|text| {
        let mut decisions = Triage::default();
        for error in triage::read("x.toml", text, &mut decisions) {
            assert!(error.place.line <= 1 + text.lines().count());
        }
        assert!(Index::open(&compile(Vec::new(), &decisions, &facts())).is_ok());
    });
}

#[test]
fn the_page_of_the_triage_folder_shows_entries_that_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/triage.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 5, "identity, vendor, statement, class, fix");
    for block in blocks {
        assert_eq!(triage::read("triage.md", block, &mut Triage::default()), [], "{block}");
    }
}

#[test]
fn damaged_names_and_sentences_are_refused_or_read() {
    every_text("cpe", &|text| {
        if let Some(cpe) = Cpe::read(text) {
            drop((cpe.full_version(), conditions::condition(std::iter::once(cpe))));
        }
        if let Some(product) = Product::read(text) {
            assert_eq!(Product::read(&product.to_string()).as_ref(), Some(&product));
        }
    });
    let products = [Product::cpe(Part::Application, "haxx", "curl")];
    every_text("prose", &|text| {
        assert!(prose::bounds(text).iter().all(|stated| stated.offset <= text.len()));
        drop(prose::for_products(text, products.iter()));
    });
    every_text("naming", &|text| {
        let component = Component::named(Ecosystem::NIX, text, text, text);
        assert!(!lookup_names(&component).is_empty());
    });
}

#[test]
fn an_index_with_a_damaged_body_and_a_right_checksum_answers_without_a_panic() {
    let tiny = include_bytes!("../tests/vectors/tiny.auxdb");
    forms(&tiny[48..], &|body| {
        let file = [&tiny[..16], blake3::hash(body).as_bytes(), body].concat();
        let Ok(index) = Index::open(&file) else { return };
        let key = AdvisoryKey::of("CVE-2017-7407");
        let _own = index.key_of("CVE-2017-7407");
        drop((index.advisory(key), index.products_of(key)));
        for name in ["curl", "curlfull", "lodash"] {
            drop((index.names(&Ecosystem::NIX, name), index.statements(&Ecosystem::NIX, name)));
            drop((index.fixes(&Ecosystem::NIX, name), index.package(&Ecosystem::new("npm"), name)));
            let blocks = index.products_named(name).unwrap_or_default();
            let _entries: usize = blocks.iter().map(|block| block.entries().count()).sum();
        }
    });
    let tiny = include_bytes!("../tests/vectors/tiny.auxdetails");
    forms(&tiny[44..], &|body| {
        let file = [&tiny[..12], blake3::hash(body).as_bytes(), body].concat();
        drop(Details::open(&file).map(|details| details.find(AdvisoryKey::of("CVE-2017-7407"))));
    });
}
