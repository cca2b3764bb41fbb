//! Damaged packed files and archives end in bytes within the limit or an error, never in a panic.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::input::{self, Line};

const LIMIT_BYTES: u64 = 1 << 20;

#[test]
fn damaged_packed_files_and_archives_stay_within_their_limit() {
    damage::every_form("input", &|bytes| {
        let plain = input::unpack("x", bytes, LIMIT_BYTES).ok().flatten().unwrap_or_default();
        assert!(plain.len() as u64 <= LIMIT_BYTES);
        for mut bytes in [bytes, plain.as_slice()] {
            input::archive("x.tar", &mut bytes, LIMIT_BYTES, &mut |entry| {
                drop(entry.map(|entry| assert!(entry.bytes.len() as u64 <= LIMIT_BYTES)));
            });
        }
    });
}

#[test]
fn lines_of_a_damaged_list_come_whole_or_cut_and_in_order() {
    damage::every_text("name_list", &|text| {
        let mut last = 0;
        let read = input::lines("x", &mut text.as_bytes(), &mut |number, line| {
            assert_eq!(number, last + 1);
            last = number;
            assert!(matches!(line, Line::Whole(bytes) | Line::Cut(bytes) if bytes.len() <= text.len()));
        });
        assert!(read.is_ok());
    });
}
