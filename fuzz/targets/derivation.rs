//! A `.drv` that is read is printed back byte for byte, and its texts can be looked at.
#![no_main]

use aux_nix::Derivation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(derivation) = Derivation::parse(data) {
        assert!(derivation.print() == data, "printed otherwise than it was read");
        let _name = derivation.variable_text("name");
    }
});
