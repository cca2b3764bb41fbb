//! The name of a repository somewhere else: what is accepted is told to git, and must not be an option or a command.
#![no_main]

use aux_repo::{Reference, Target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(word) = std::str::from_utf8(data) else { return };
    if let Some(Ok(target)) = Target::parse(word) {
        let url = target.url();
        assert!(["https://", "ssh://", "file://"].iter().any(|scheme| url.starts_with(scheme)), "{url}");
        assert!(!url.contains(['\n', '\0']), "{url:?}");
    }
    if let Ok(Reference::Name(name)) = Reference::parse(word) {
        assert!(!name.starts_with('-') && !name.contains(['\n', '\0']), "{name:?}");
    }
});
