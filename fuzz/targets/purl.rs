//! Package URLs.
#![no_main]

use aux_inventory::purl;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let component = purl::component(text, text);
    assert_eq!(component.is_ok(), purl::parse(text).is_ok());
    assert!(component.is_ok_and(|component| !component.name.is_empty()) || purl::parse(text).is_err());
});
