//! CISA's catalogue of exploited vulnerabilities.
#![no_main]

use aux_advisory::{Record, kev};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(catalogue) = kev::read(data) {
        catalogue.mark(&mut [Record::new("CVE-2021-44228")], None);
    }
});
