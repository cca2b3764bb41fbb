//! Store paths, and the names of store objects taken apart.
#![no_main]

use aux_inventory::{graph::PackageName, store_name};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for path in [aux_nix::StorePath::parse(text), aux_nix::StorePath::parse_base(text)].into_iter().flatten() {
        assert_eq!(path.base().len(), path.digest().len() + 1 + path.name().len());
    }
    if let Some(base) = store_name::base_name(text) {
        let _parts = (store_name::split(base), store_name::names_package(base));
    }
    let _names = (PackageName::of_derivation(text), PackageName::of_output(text));
});
