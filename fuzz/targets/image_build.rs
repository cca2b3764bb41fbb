//! Binary packages: nothing of one leaves the image.
#![no_main]

use std::collections::BTreeSet;

use aux_image::build::unpack;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(unpacked) = unpack("a-1", data, "opt/local", &BTreeSet::new()) {
        assert!(unpacked.nodes.keys().all(|path| path.starts_with("opt/local/") && !path.contains("/../")));
    }
});
