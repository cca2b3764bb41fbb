//! `flake.lock`, with its chains of `follows`: inputs come out in order.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let inputs = aux_nix::flake_lock::parse(data).unwrap_or_default();
    assert!(inputs.is_sorted_by(|one, next| one.name <= next.name));
});
