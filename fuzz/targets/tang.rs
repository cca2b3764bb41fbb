//! Advertisements, JWEs, recovery keys and policy keys: foreign text is read or refused.
#![no_main]

use aux_unlock::{RecoveryKey, tang, tpm::PolicyKey};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _advertisement = tang::Advertisement::verify(data);
    let _key = PolicyKey::of_pem(data);
    let text = String::from_utf8_lossy(data);
    let _binding = tang::binding(&text);
    let _recovery = RecoveryKey::parse(&text).is_ok();
});
