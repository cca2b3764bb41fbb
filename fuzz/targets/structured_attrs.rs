//! Structured attributes, alone and as `__json` of a derivation on its way into an inventory.
#![no_main]

use aux_core::TargetKind;
use aux_inventory::graph;
use aux_nix::{Derivation, structured_attrs::StructuredAttributes};

const PATH: &str = "/nix/store/00000000000000000000000000000000-x-1.drv";
const START: &[u8] =
    br#"Derive([("out","/nix/store/00000000000000000000000000000000-x-1","","")],[],[],"","",[],[("__json",""#;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _alone = StructuredAttributes::parse(data).map(|attributes| attributes.known_vulnerabilities());
    let escaped = data.iter().flat_map(|byte| [b'\\', *byte].into_iter().skip(usize::from(!b"\\\"".contains(byte))));
    let drv: Vec<u8> = START.iter().copied().chain(escaped).chain(*b"\")])").collect();
    if let Ok(derivation) = Derivation::parse(&drv) {
        graph::inventory("x", TargetKind::DerivationGraph, &[(PATH, derivation)], &|_| None);
    }
});
