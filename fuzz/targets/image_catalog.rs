//! Catalogs and specifications, also those of an old `images.json`.
#![no_main]

use aux_image::{Catalog, Gate, Spec, spec};

libfuzzer_sys::fuzz_target!(|data: &str| {
    if let Ok(catalog) = Catalog::read(data) {
        for image in catalog.images() {
            assert_eq!(catalog.named(&image.uuid).as_ref(), Ok(&image));
            let _told = (catalog.behind(&image.uuid), image.jenkins_version(), image.family());
        }
    }
    let imported = spec::import(data.as_bytes()).unwrap_or_default();
    assert!(imported.iter().all(|one| Spec::read(&one.text).is_ok_and(|spec| spec.name == one.name)));
    let _read = (Spec::read(data), Gate::read(data));
});
