//! Files of the triage folder; what is read compiles into an index that opens.
#![no_main]

use aux_advisory::index::{Facts, Index, compile};
use aux_advisory::triage::{self, Triage};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut read = Triage::default();
    for error in triage::read("x.toml", text, &mut read) {
        assert!(error.place.line <= 1 + text.lines().count());
    }
    let facts = Facts { serial: 0, built: Default::default() };
    assert!(Index::open(&compile(Vec::new(), &read, &facts)).is_ok());
});
