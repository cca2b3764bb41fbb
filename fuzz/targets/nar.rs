//! A NAR that is read is the one NAR of its tree: it is written back byte for byte, and its listing is JSON.
#![no_main]

use aux_nix::nar::{Listing, Reader, Writer, copy};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut writer = Writer::new(Vec::new());
    if copy(&mut Reader::new(data), &mut writer).is_ok() {
        assert!(writer.finish().is_ok_and(|written| written == data), "written otherwise than it was read");
        let (mut listing, mut reader) = (Listing::default(), Reader::with_capacity(7, data));
        while let Ok(Some(event)) = reader.next() {
            if listing.add(&event).is_err() {
                return;
            }
        }
        assert!(listing.finish().ends_with("}}"));
    }
});
