//! OSV records, one or a list; merging what is read is settled by the set, not by its order.
#![no_main]

use aux_advisory::{merge::merge, osv};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut records = Vec::new();
    if osv::read(data, &mut |record| records.push(record)).is_ok() {
        let mut turned = records.clone();
        turned.reverse();
        assert!(merge(records) == merge(turned), "merging depends on the order");
    }
});
