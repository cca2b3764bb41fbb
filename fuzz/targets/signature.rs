//! An armored OpenPGP key, and after a NUL byte a signed list for it.
#![no_main]

use aux_advisory::pkg_vulnerabilities;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (key, list) = data.split_at(at);
    if let Ok(list) = pkg_vulnerabilities::read(list.get(1..).unwrap_or_default(), &mut |_| {}) {
        let _signer = list.signature.map(|signature| signature.verify(key));
    }
});
