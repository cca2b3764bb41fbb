//! Files of sops, for nobody who could open them: YAML and JSON as trees, and what they say of themselves.
#![no_main]

use aux_secrets::sops::{Format, open};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        for format in [Format::Yaml, Format::Json] {
            drop(open(text, format, &aux_secrets::Identities::default()).err());
        }
    }
});
