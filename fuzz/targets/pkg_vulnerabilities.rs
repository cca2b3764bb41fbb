//! pkgsrc's list, framed by a signature or not, with its checksum line.
#![no_main]

use aux_advisory::pkg_vulnerabilities;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut count = 0;
    let _read = pkg_vulnerabilities::read(data, &mut |_| count += 1);
    assert!(count <= data.len());
});
