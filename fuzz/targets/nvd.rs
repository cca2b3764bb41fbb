//! NVD 2.0 JSON; what is read compiles into an index that opens.
#![no_main]

use aux_advisory::index::{Facts, Index, compile};
use aux_advisory::{nvd, triage::Triage};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut records = Vec::new();
    if nvd::read(data, &mut |record| records.push(record)).is_ok() {
        records.sort_by(|left, right| left.id.cmp(&right.id));
        records.dedup_by(|later, first| later.id == first.id);
        let facts = Facts { serial: 0, built: Default::default() };
        assert!(Index::open(&compile(records, &Triage::default(), &facts)).is_ok());
    }
});
