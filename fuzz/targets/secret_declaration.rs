//! What people declare of a fleet's secrets, and what becomes of it where no key is needed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(declaration) = aux_secrets::Declaration::read(bytes) {
        let _shape = aux_secrets::Manifest::shape(&declaration).to_text();
    }
});
