//! Catalogs and specifications.
#![no_main]

use aux_image::{Catalog, Gate, Spec};

libfuzzer_sys::fuzz_target!(|data: &str| {
    if let Ok(catalog) = Catalog::read(data) {
        for image in catalog.images() {
            assert_eq!(catalog.named(&image.uuid).as_ref(), Ok(&image));
            let _told = (catalog.behind(&image.uuid), image.jenkins_version(), image.family());
        }
    }
    let _read = (Spec::read(data), Gate::read(data));
});
