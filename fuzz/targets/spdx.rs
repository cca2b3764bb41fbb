//! A SPDX document becomes components with an origin each, or problems.
#![no_main]

use aux_core::Ecosystem;
use aux_inventory::{Gathered, spdx};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut gathered = Gathered::default();
    spdx::read("x", data, &Ecosystem::GENERIC, &mut gathered);
    let inventory = gathered.finish("x");
    for component in &inventory.components {
        assert!(!component.outputs.is_empty() && inventory.path_to(component).len() <= inventory.tree.len());
    }
});
