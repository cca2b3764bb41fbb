//! `nix path-info --json`: paths come out once each and in order.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let paths = aux_nix::path_info::parse(data).unwrap_or_default();
    assert!(paths.is_sorted_by(|one, next| one.path < next.path));
});
