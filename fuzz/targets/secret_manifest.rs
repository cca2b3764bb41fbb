//! Manifests of secrets.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = aux_secrets::Manifest::unverified(bytes) {
        let _changes = manifest.declared_changes(&manifest);
        let _rules: Vec<_> = manifest.secrets.values().map(|secret| secret.rule()).collect();
    }
});
