//! Damaged packed files and archives end in bytes within the limit or an error, never in a panic.

#[path = "../../../fuzz/damage.rs"]
#[expect(dead_code, reason = "this room reads bytes, never text")]
mod damage;

use crate::input;

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
