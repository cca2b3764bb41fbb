//! A narinfo that is read prints as one that reads the same; its content address gives some store path or none.
#![no_main]

use aux_nix::{NarInfo, cache_info::CacheInfo};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(info) = NarInfo::parse(data) {
        let printed = info.print();
        assert!(NarInfo::parse(printed.as_bytes()).as_ref() == Ok(&info), "prints as something else");
        let _proof = info.verify_content_address();
        assert!(!info.url.as_str().split(['/', '?']).any(|part| part == "..") || info.url.as_str().contains('?'));
    }
    if let Ok(info) = CacheInfo::parse(data) {
        assert!(CacheInfo::parse(info.to_string().as_bytes()) == Ok(info));
    }
});
