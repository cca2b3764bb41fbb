//! Makefiles: every variable they may pin an image by, and every place of it.
#![no_main]

use aux_image::make::{Makefile, Text};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = Text::read(data);
    let read = |_: &str| Some(text.clone());
    let makefile = Makefile::evaluate("Makefile", &read, "SunOS");
    for name in ["BASE_IMAGE_UUID", "NODE_PREBUILT_IMAGE", "A"] {
        let _worth = (makefile.worth(name), makefile.sources(name));
    }
    assert!(makefile.assignments.iter().all(|one| text.text.get(one.start..one.end).is_some()));
    assert_eq!(text.bytes_of(&text.text), data);
});
