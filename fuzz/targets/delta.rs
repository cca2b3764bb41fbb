//! A delta as it came, and as a payload that unpacks: it makes the very index it announces, or nothing.
#![no_main]

use aux_advisory::index::delta::{Touched, apply, checksum};

const BASE: &[u8] = include_bytes!("../../crates/advisory/tests/vectors/tiny.auxdb");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _as_it_came = apply(BASE, data);
    let name = checksum(BASE).unwrap_or_default();
    let packed = zstd::bulk::compress(data, 1).unwrap_or_default();
    let file = [b"\x89AUXDD\r\n\x01\0\0\0".as_slice(), &name, &packed].concat();
    if let Ok(made) = apply(BASE, &file) {
        assert_eq!(made, BASE, "another index under the same checksum");
    }
    let _joined = Touched::of_delta(&file);
});
