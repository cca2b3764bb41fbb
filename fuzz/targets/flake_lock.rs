//! `flake.lock`, with its chains of `follows`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for input in aux_nix::flake_lock::parse(data).unwrap_or_default() {
        assert!(!input.name.is_empty());
    }
});
