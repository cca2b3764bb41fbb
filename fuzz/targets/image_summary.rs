//! What a branch has: blocks of variables, in any encoding, cut anywhere.
#![no_main]

use aux_image::Summary;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(summary) = Summary::read(data) {
        for package in summary.packages() {
            assert!(summary.named(&package.name).contains(package));
        }
        let _superseding = summary.superseding("a", "1");
    }
});
