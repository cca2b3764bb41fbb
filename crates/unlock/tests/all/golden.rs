//! Files as they were written once: they read, print the same bytes, and still give their key.

use std::sync::Arc;

use aux_unlock::slot::{self, SlotFile, SlotFileError};
use aux_unlock::{RecoveryKey, Surroundings, open};

use crate::slots::surroundings;

const SLOTS: &str = include_str!("../vectors/slots.json");
const POLICIES: &str = include_str!("../vectors/policies.json");
const KEY: &str = include_str!("../vectors/tpm-key.json");
const RECOVERY: &str = include_str!("../vectors/recovery-key");
/// What the file's slot key gives: its derivation may never change.
const IDENTITY: &str = "AGE-SECRET-KEY-19JH2YVXF04L9DWX8VL4CFHPJ7WF3YZ8FZ5A4G08ER6LSSS06Q8WQSA4PET";

fn file() -> SlotFile {
    slot::parse(SLOTS.as_bytes()).unwrap()
}

#[test]
fn the_golden_files_print_as_they_were_written() {
    assert_eq!(slot::print(&file()), SLOTS);
    assert_eq!(slot::print_policies(&slot::parse_policies(POLICIES.as_bytes()).unwrap()), POLICIES);
    assert_eq!(slot::print_tpm_key(&slot::parse_tpm_key(KEY.as_bytes()).unwrap()), KEY);
}

#[test]
fn the_golden_slot_gives_the_identity_that_it_gave_when_it_was_written() {
    let recovery = Some(Arc::new(RecoveryKey::parse(RECOVERY).unwrap()));
    let opened = open(&file(), &Surroundings { recovery, ..surroundings() }).unwrap();
    assert_eq!(opened.key.identity_text().unwrap().as_str(), IDENTITY);
}

#[test]
fn what_is_no_slot_file_is_refused_in_its_own_words() {
    let with = |old: &str, new: &str| {
        assert!(SLOTS.contains(old), "{old}");
        slot::parse(SLOTS.replacen(old, new, 1).as_bytes()).unwrap_err()
    };
    assert!(matches!(with("aux.slots/1", "aux.slots/2"), SlotFileError::Schema { .. }));
    assert!(matches!(with("\"generation\": 1", "\"generation\": 1, \"more\": 2"), SlotFileError::Syntax { .. }));
    assert!(matches!(with("\"threshold\": 2", "\"threshold\": 4"), SlotFileError::Threshold { .. }));
    assert!(matches!(with("\"threshold\": 2", "\"threshold\": 0"), SlotFileError::Threshold { .. }));
    assert!(matches!(with("\"name\": \"signed\"", "\"name\": \"paper\""), SlotFileError::Repeated { .. }));
    assert!(matches!(with("\"name\": \"signed\"", "\"name\": \"../x\""), SlotFileError::Name { .. }));
    assert!(matches!(with("\"recipient\": \"age1", "\"recipient\": \"age2"), SlotFileError::Field { .. }));
    assert!(matches!(with("\"memory_kib\": 262144", "\"memory_kib\": 4294967295"), SlotFileError::Cost { .. }));
    assert!(matches!(with("\"jwe\": \"", "\"jwe\": \"."), SlotFileError::Field { .. }));
    assert!(matches!(with("\"pcr\": 11", "\"pcr\": 7"), SlotFileError::Field { .. }));
    assert!(matches!(with("\"pcr\": 11", "\"pcr\": 24"), SlotFileError::Field { .. }));
    assert!(matches!(with("\"index\": \"0x", "\"index\": \""), SlotFileError::Field { .. }));
    assert!(matches!(slot::parse(&vec![b' '; (1 << 20) + 1]), Err(SlotFileError::TooLong { .. })));
    let nested = |depth: usize| {
        let mut slot = r#"{"name":"a","lock":{"kind":"recovery"},"wrapped":""}"#.to_owned();
        for _ in 0..depth {
            slot =
                format!(r#"{{"name":"a","lock":{{"kind":"threshold","threshold":1,"slots":[{slot}]}},"wrapped":""}}"#);
        }
        let recipient = file().recipient;
        format!(r#"{{"schema":"aux.slots/1","machine":"m","generation":1,"recipient":"{recipient}","slots":[{slot}]}}"#)
    };
    assert!(slot::parse(nested(4).as_bytes()).is_ok());
    assert!(matches!(slot::parse(nested(5).as_bytes()), Err(SlotFileError::TooDeep { .. })));
    assert!(slot::parse(nested(40).as_bytes()).is_err());
}
