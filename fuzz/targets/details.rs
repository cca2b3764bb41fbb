//! A details pack as it came, and as if its header and checksum were right.
#![no_main]

use aux_advisory::index::{AdvisoryKey, Details};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _as_it_came = Details::open(data);
    let body = data.get(44..).unwrap_or_default();
    let file = [b"\x89AUXDT\r\n\x01\0\0\0", blake3::hash(body).as_bytes().as_slice(), body].concat();
    if let Ok(details) = Details::open(&file) {
        let _found = ["CVE-2017-7407", "GHSA-jfh8-c2jp-5v3q"].map(|id| details.find(AdvisoryKey::of(id)));
    }
});
