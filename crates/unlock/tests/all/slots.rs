//! Slots of every kind give the same key back, alone and nested, and files of them read back as they were written.

use std::sync::Arc;

use aux_io::tpm::TpmAddress;
use aux_unlock::memory::SecretBytes;
use aux_unlock::slot::{self, Lock, SlotFile, SlotFileError};
use aux_unlock::tpm::{self, Policy, Statement};
use aux_unlock::{
    NewLock, NewSlot, Outcome, PassphraseCost, RecoveryKey, Surroundings, add, create, explain, open, tang,
};

use crate::clevis::clevis;
use crate::surroundings::{http, random};
use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{Tang, tang_is_here};

/// Little enough for a test.
pub(crate) const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 64, passes: 1 };

pub(crate) fn surroundings() -> Surroundings {
    Surroundings::new("web-1", http(), random())
}

pub(crate) fn new(name: &str, lock: NewLock) -> NewSlot {
    NewSlot { name: name.to_owned(), lock }
}

pub(crate) fn passphrase(text: &str) -> Arc<SecretBytes> {
    Arc::new(SecretBytes::take(&mut text.as_bytes().to_vec()).unwrap())
}

pub(crate) fn typed(text: &str) -> NewLock {
    NewLock::Passphrase { passphrase: passphrase(text), cost: CHEAP }
}

pub(crate) fn by_tang(server: &Tang) -> NewLock {
    let trusted = tang::ask(&http(), &server.url()).unwrap().trusted(&server.thumbprint()).unwrap();
    NewLock::Tang { url: server.url(), trusted }
}

/// Bound to what register 7 is now.
pub(crate) fn by_tpm(swtpm: &Swtpm) -> NewLock {
    let address = TpmAddress::parse(&swtpm.address()).unwrap();
    let registers = tpm::registers(&address, &[7], &random()).unwrap();
    NewLock::Tpm2(Policy::Measured(Statement { registers, counter: None }))
}

pub(crate) fn with_tpm(swtpm: &Swtpm) -> Surroundings {
    Surroundings { tpm: Some(TpmAddress::parse(&swtpm.address()).unwrap()), ..surroundings() }
}

/// The default of a server: two of a TPM and two tang servers.
pub(crate) fn server_file(swtpm: &Swtpm, first: &Tang, second: &Tang) -> SlotFile {
    let slots = vec![new("tpm", by_tpm(swtpm)), new("tang-a", by_tang(first)), new("tang-b", by_tang(second))];
    let threshold = new("servers", NewLock::Threshold { threshold: 2, slots });
    create(threshold, &with_tpm(swtpm)).unwrap().0
}

#[test]
fn a_passphrase_and_a_printed_key_give_the_same_slot_key() {
    let (mut file, key, printed) = create(new("typed", typed("correct horse")), &surroundings()).unwrap();
    assert!(printed.is_empty());
    let printed = add(&mut file, &key, new("paper", NewLock::Recovery), &surroundings()).unwrap();
    let text = printed[0].key.text().unwrap();
    let file = slot::parse(slot::print(&file).as_bytes()).unwrap();

    let by_passphrase = Surroundings { passphrase: Some(passphrase("correct horse")), ..surroundings() };
    let opened = open(&file, &by_passphrase).unwrap();
    assert_eq!((opened.path.as_str(), opened.key.expose()), ("typed", key.expose()));
    let recovery = Some(Arc::new(RecoveryKey::parse(&text).unwrap()));
    let opened = open(&file, &Surroundings { recovery, ..surroundings() }).unwrap();
    assert_eq!((opened.path.as_str(), opened.key.expose()), ("paper", key.expose()));

    let wrong = Surroundings { passphrase: Some(passphrase("wrong horse")), ..surroundings() };
    let outcomes: Vec<String> =
        explain(&file, &wrong).unwrap().iter().map(|report| report.outcome.to_string()).collect();
    assert_eq!(outcomes, ["does not open: the passphrase is another", "opens with a recovery key"]);
}

#[test]
fn the_slot_key_is_an_age_identity_whose_recipient_the_file_names() {
    let (file, key, _) = create(new("typed", typed("a")), &surroundings()).unwrap();
    assert_eq!(key.recipient().unwrap(), file.recipient);
    assert!(key.identity_text().unwrap().starts_with("AGE-SECRET-KEY-1"));
    let recipient: age::x25519::Recipient = file.recipient.parse().unwrap();
    let sealed = age::encrypt(&recipient, b"K_m").unwrap();
    assert_eq!(age::decrypt(&key.identity().unwrap(), &sealed).unwrap(), b"K_m");
}

#[test]
fn thresholds_nest() {
    let team = NewLock::Threshold {
        threshold: 2,
        slots: vec![new("ann", typed("ann")), new("ben", typed("ann")), new("paper", NewLock::Recovery)],
    };
    let all = NewLock::Threshold { threshold: 2, slots: vec![new("team", team), new("typed", typed("ann"))] };
    let (file, key, printed) = create(new("all", all), &surroundings()).unwrap();
    assert_eq!(printed[0].path, "all/team/paper");
    let file = slot::parse(slot::print(&file).as_bytes()).unwrap();
    let ready = Surroundings { passphrase: Some(passphrase("ann")), ..surroundings() };
    assert_eq!(open(&file, &ready).unwrap().key.expose(), key.expose());
    let reports = explain(&file, &surroundings()).unwrap();
    assert_eq!(reports[0].outcome, Outcome::Waits { what: "a passphrase" });
}

#[test]
fn a_tpm_and_tang_servers_open_together_and_clevis_opens_a_slot_of_ours() {
    if !swtpm_is_here() || !tang_is_here() {
        return;
    }
    let (swtpm, first, second) = (Swtpm::start(), Tang::start(), Tang::start());
    let file = server_file(&swtpm, &first, &second);
    let file = slot::parse(slot::print(&file).as_bytes()).unwrap();
    let opened = open(&file, &with_tpm(&swtpm)).unwrap();
    assert_eq!(opened.key.recipient().unwrap(), file.recipient);
    let reports = explain(&file, &with_tpm(&swtpm)).unwrap();
    assert!(reports[0].slots.iter().all(|report| report.outcome == Outcome::Opens), "{reports:?}");
    let Lock::Threshold { slots, .. } = &file.slots[0].lock else { panic!() };
    let Lock::Tang(jwe) = &slots[1].lock else { panic!() };
    // 32 bytes that are no text: clevis gives them back as they are.
    assert_eq!(clevis(&["decrypt"], jwe.as_bytes()).len(), 32);
}

#[test]
fn retired_keys_of_tang_are_reported() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let (file, ..) = create(new("tang", by_tang(&server)), &surroundings()).unwrap();
    assert!(explain(&file, &surroundings()).unwrap()[0].remarks.is_empty());
    server.rotate();
    let report = &explain(&file, &surroundings()).unwrap()[0];
    assert_eq!(report.outcome, Outcome::Opens);
    assert!(report.remarks[0].contains("has retired key"), "{report:?}");
    assert_eq!(clevis(&["decrypt"], server.clevis_encrypt(b"still here").as_bytes()), b"still here");
}

#[test]
fn a_file_cut_short_anywhere_is_refused_as_such() {
    let (file, ..) = create(new("typed", typed("a")), &surroundings()).unwrap();
    let text = slot::print(&file);
    let whole = text.trim_end().len();
    for length in 0..whole {
        let refused = slot::parse(&text.as_bytes()[..length]);
        assert_eq!(refused, Err(SlotFileError::Truncated { bytes: length }));
    }
}
