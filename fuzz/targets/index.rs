//! An index as it came, and as if its header, lengths and checksum were right, so that look-ups meet strange bodies.
#![no_main]

use aux_advisory::index::Index;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _as_it_came = Index::open(data);
    let file = aux_fuzz::believable_index(data).unwrap_or_default();
    if let Ok(index) = Index::open(&file) {
        aux_fuzz::ask_everything(&index);
    }
});
