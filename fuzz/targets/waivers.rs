//! Waiver files and vulnix whitelists.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _read = aux_audit::Waivers::default().read("x.toml", text);
});
