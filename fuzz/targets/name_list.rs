//! A list of names, of whatever ecosystem: every line is a component, a problem, blank or a comment.
#![no_main]

use aux_core::{Ecosystem, TargetKind};
use aux_inventory::{Gathered, list};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for ecosystem in [Ecosystem::NIX, Ecosystem::PKGSRC, Ecosystem::new("npm")] {
        let mut gathered = Gathered::default();
        list::read_bytes("x", data, TargetKind::NameList, &ecosystem, &mut gathered);
        let inventory = gathered.finish("x");
        assert!(!inventory.components.is_empty() || !inventory.problems.is_empty(), "nothing came of it");
    }
});
