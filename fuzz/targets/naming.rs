//! Names: split, folded, read as an ecosystem, looked up.
#![no_main]

use aux_advisory::identity::lookup_names;
use aux_core::{Component, Ecosystem, naming};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (name, version) = naming::split_nix_name(text);
    let folded = naming::fold(text);
    assert_eq!(naming::fold(&folded), folded, "folding twice is folding once");
    for ecosystem in [Ecosystem::NIX, Ecosystem::new(text)] {
        assert!(!lookup_names(&Component::named(ecosystem, name, version, text)).is_empty());
    }
});
