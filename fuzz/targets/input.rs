//! Packed bytes and archives: within their bounds or refused, never more than asked for.
#![no_main]

use aux_io::input;

const LIMIT_BYTES: u64 = 1 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let unpacked = input::unpack("x", data, LIMIT_BYTES);
    let plain = unpacked.ok().flatten().unwrap_or_default();
    assert!(plain.len() as u64 <= LIMIT_BYTES);
    for mut bytes in [data, plain.as_slice()] {
        input::archive("x.tar", &mut bytes, LIMIT_BYTES, &mut |entry| {
            let _size = entry.map(|entry| assert!(entry.bytes.len() as u64 <= LIMIT_BYTES));
        });
    }
});
