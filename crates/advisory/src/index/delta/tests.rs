//! Deltas between indexes of records that come, change and go.

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::read::Index;
use super::super::write::{Facts, compile};
use super::*;
use crate::cpe::Part;
use crate::record::{Affected, Product, Record, VersionRange};
use crate::triage::Triage;
use aux_core::Ecosystem;
use aux_core::version::Scheme;

/// An index of advisories, each a number of a CVE, the products it names and the version that fixes it.
fn index(advisories: &[(u16, Vec<u8>, u8)], second: i64) -> Vec<u8> {
    let record = |(number, products, fixed): &(u16, Vec<u8>, u8)| {
        let mut record = Record::new(format!("CVE-2020-{number:04}"));
        if number % 7 == 0 {
            record.aliases.insert(format!("ALIAS-{number}"));
        }
        for product in products {
            let product = if product % 5 == 0 {
                Product::Package { ecosystem: Ecosystem::new("npm"), name: format!("package-{product}") }
            } else {
                Product::cpe(Part::Application, "vendor", format!("product-{product}"))
            };
            let mut affected = Affected::new(product, Scheme::Generic);
            affected.versions = vec![VersionRange::read(&format!("<{fixed}")).unwrap()];
            record.affected.push(affected);
        }
        record
    };
    let mut records: Vec<Record> = advisories.iter().map(record).collect();
    records.sort_by(|left, right| left.id.cmp(&right.id));
    records.dedup_by(|left, right| left.id == right.id);
    let built = Timestamp::from_second(second).unwrap();
    compile(records, &Triage::default(), &Facts { serial: 0, built })
}

fn between(old: &[u8], new: &[u8]) -> Touched {
    Touched::between(&Index::open(old).unwrap(), &Index::open(new).unwrap()).unwrap()
}

fn written(newest: &[u8], touched: &Touched) -> Vec<u8> {
    write(newest, &Index::open(newest).unwrap(), touched).unwrap()
}

fn advisories() -> impl Strategy<Value = Vec<(u16, Vec<u8>, u8)>> {
    prop::collection::vec((0_u16..60, prop::collection::vec(0_u8..20, 0..4), 0_u8..4), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn one_delta_takes_every_index_since_its_first_to_the_newest(
        states in prop::collection::vec(advisories(), 2..6),
    ) {
        let indexes: Vec<Vec<u8>> =
            states.iter().zip(1..).map(|(state, second)| index(state, second)).collect();
        let newest = indexes.last().unwrap();
        let mut touched = Touched::default();
        for pair in indexes.windows(2) {
            // What a publisher keeps of a step is its delta.
            let step = written(&pair[1], &between(&pair[0], &pair[1]));
            prop_assert_eq!(&apply(&pair[0], &step).unwrap(), &pair[1]);
            touched.add(Touched::of_delta(&step).unwrap());
        }
        let delta = written(newest, &touched);
        for older in &indexes {
            prop_assert_eq!(&apply(older, &delta).unwrap(), newest);
        }
    }

    #[test]
    fn a_damaged_delta_never_makes_another_index(position in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (old, new) = (index(&[(1, vec![1, 2], 1)], 1), index(&[(1, vec![1], 2), (2, vec![3, 5], 1)], 2));
        let mut delta = written(&new, &between(&old, &new));
        let at = position.index(delta.len());
        delta[at] ^= 1 << bit;
        match apply(&old, &delta) {
            Ok(made) => prop_assert_eq!(made, new),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn a_delta_of_another_index_is_refused_and_so_is_what_is_no_delta() {
    let (old, new) = (index(&[(1, vec![1], 1)], 1), index(&[(1, vec![1], 2)], 2));
    let stranger = index(&[(9, vec![9], 1)], 1);
    let delta = written(&new, &between(&old, &new));
    assert_eq!(apply(&stranger, &delta), Err(DeltaError::Checksum));
    assert_eq!(apply(&old, b"\x89AUXDB\r\n"), Err(DeltaError::Foreign));
    assert_eq!(apply(&old, b""), Err(DeltaError::Foreign));
    let mut newer = delta.clone();
    newer[8] = 2;
    assert_eq!(apply(&old, &newer), Err(DeltaError::Version { found: 2 }));
    assert!(matches!(apply(&old, &delta[..20]), Err(DeltaError::Packing { .. })));
    assert!(matches!(apply(&old, &delta[..delta.len() - 4]), Err(DeltaError::Packing { .. })));
    assert_eq!(apply(b"", &delta), Err(DeltaError::Base(super::super::IndexError::Truncated { found: 0, wanted: 48 })));
}

#[test]
fn a_bomb_is_refused() {
    let index = index(&[(1, vec![1], 1)], 1);
    let mut delta = written(&index, &Touched::default())[..44].to_vec();
    let zeros = vec![0; usize::try_from(aux_core::limits::DELTA_UNPACKED_BYTES_MAX).unwrap() + 1];
    delta.extend(zstd::bulk::compress(&zeros, 1).unwrap());
    assert!(matches!(apply(&index, &delta), Err(DeltaError::Enormous { .. })));
}

const TINY: &[u8] = include_bytes!("../../../tests/vectors/tiny.auxdelta");

#[test]
fn the_tiny_delta_is_read_for_ever_and_its_page_shows_what_is_in_it() {
    let (old, new) = (super::super::golden::tiny(), super::super::golden::tiny_and_one_more());
    assert_eq!(apply(&old, TINY).unwrap(), new);
    // How zstd packs may change with its version; what is packed may not.
    let (announced, payload) = apply::unpack(TINY).unwrap();
    let written = written(&new, &between(&old, &new));
    assert_eq!(apply::unpack(&written).unwrap(), (announced, payload.clone()));
    let dump = super::super::golden::dump(&payload);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/auxdelta.md");
    assert!(std::fs::read_to_string(page).unwrap().contains(&dump), "the page should show\n{dump}");
}
