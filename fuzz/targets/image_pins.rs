//! Every other kind of file that pins: what is told of a pin stands where it says.
#![no_main]

use aux_image::pins::{Pins, dockerfile, flake, jenkins, tools};

libfuzzer_sys::fuzz_target!(|data: &str| {
    let mut pins = Pins::default();
    dockerfile::find("x", data, &mut pins);
    flake::find("x", data, &mut pins);
    jenkins::find("x", data, &mut pins);
    tools::find("x", data, &mut pins);
    assert!(pins.pins.iter().all(|pin| data.get(pin.span.clone()).is_some()));
    assert!(tools::maps(data).iter().all(|map| data.get(..map.end).is_some()));
});
