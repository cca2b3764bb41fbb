//! Telling what a document is.
#![no_main]

use aux_inventory::detect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _kinds = (detect::document(data), detect::json(data));
});
