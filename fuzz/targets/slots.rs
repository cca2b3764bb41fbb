//! A file of slots, of policies or of a TPM's key that is read prints as one that reads the same.
#![no_main]

use aux_unlock::slot;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(file) = slot::parse(data) {
        assert!(slot::parse(slot::print(&file).as_bytes()) == Ok(file), "prints as something else");
    }
    if let Ok(policies) = slot::parse_policies(data) {
        assert!(slot::parse_policies(slot::print_policies(&policies).as_bytes()) == Ok(policies));
    }
    if let Ok(key) = slot::parse_tpm_key(data) {
        assert!(slot::parse_tpm_key(slot::print_tpm_key(&key).as_bytes()) == Ok(key));
    }
});
