//! The JSON of `nix derivation show`: what is read prints as a `.drv` that reads back.
#![no_main]

use aux_nix::{Derivation, derivation::json};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for (_path, derivation) in json::parse(data).unwrap_or_default() {
        let printed = derivation.print();
        assert!(Derivation::parse(&printed).is_ok(), "prints what cannot be read");
    }
});
