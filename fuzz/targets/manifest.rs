//! Image manifests and package lists in JSON.
#![no_main]

use aux_core::{Ecosystem, TargetKind};
use aux_inventory::{Gathered, manifest};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut gathered = Gathered::default();
    manifest::read("x", data, TargetKind::TritonManifest, &Ecosystem::PKGSRC, &mut gathered);
    let _inventory = gathered.finish("x");
});
