//! A zip archive as advisories are published in: every entry is handed over whole, or its error is.
#![no_main]

use aux_io::input::entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // A zip's table stands at its end, so that one is read from a file.
    let path = std::env::temp_dir().join(format!("aux-fuzz-{}.zip", std::process::id()));
    if std::fs::write(&path, data).is_ok() {
        entries(&path, 1 << 20, &mut |entry| {
            if let Ok(entry) = entry {
                assert!(entry.bytes.len() <= 1 << 20, "{} is larger than allowed", entry.name);
            }
        });
    }
});
