//! CPE names, and products that print as what they were read from.
#![no_main]

use aux_advisory::{Cpe, Product, conditions};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(cpe) = Cpe::read(text) {
        let _version = (cpe.full_version(), conditions::platform_of(cpe.target_software));
        let _condition = conditions::condition(std::iter::once(cpe));
    }
    if let Some(product) = Product::read(text) {
        assert_eq!(Product::read(&product.to_string()).as_ref(), Some(&product));
    }
});
