//! Version bounds in an advisory's sentence.
#![no_main]

use aux_advisory::{Part, Product, prose};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for stated in prose::bounds(text) {
        assert!(stated.offset <= text.len());
    }
    let products =
        [Product::cpe(Part::Application, "haxx", "curl"), Product::cpe(Part::OperatingSystem, "linux", "linux_kernel")];
    let _meant = (prose::for_products(text, products.iter()), prose::is_about_extension(text, "curl"));
});
