//! Opened envelopes, delivered keys, and identity files.
#![no_main]

use aux_secrets::{Identities, SecretBytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _envelope = aux_secrets::envelope::parse(bytes);
    let secret = SecretBytes::from(bytes);
    let _delivery = aux_secrets::delivery::Delivery::read(&secret).is_ok();
    let _identities = Identities::read(&secret).is_ok();
});
