//! The failure table: each thing that may go wrong with a machine's slots, with the real TPM and servers, and its own words.

use aux_io::tpm::TpmAddress;
use aux_unlock::slot;
use aux_unlock::tpm::{self, CounterBound, Policy, PolicySigner, SignedPolicy, Statement};
use aux_unlock::{NewLock, OpenError, Outcome, SlotReport, Surroundings, add, create, explain, lint, open};

use crate::slots::{by_tang, by_tpm, new, passphrase, server_file, surroundings, typed, with_tpm};
use crate::surroundings::random;
use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{Tang, command, output, tang_is_here};

const COUNTER: u32 = 0x0150_0020;

fn peers() -> Option<(Swtpm, Tang, Tang)> {
    (swtpm_is_here() && tang_is_here()).then(|| (Swtpm::start(), Tang::start(), Tang::start()))
}

/// What is said of each slot within the only threshold.
fn said(reports: &[SlotReport]) -> Vec<String> {
    reports[0].slots.iter().map(|report| format!("{}: {}", report.path, report.outcome)).collect()
}

#[test]
fn pcr_changed_two_of_three_still_open_and_the_register_is_named() {
    let Some((swtpm, first, second)) = peers() else { return };
    let file = server_file(&swtpm, &first, &second);
    let ready = with_tpm(&swtpm);
    tpm::extend(ready.tpm.as_ref().unwrap(), 7, &[1; 32], &random()).unwrap();
    open(&file, &ready).unwrap();
    let reports = explain(&file, &ready).unwrap();
    assert_eq!(reports[0].outcome, Outcome::Opens);
    let expected = [
        "servers/tpm: does not open: PCR 7 has another value than the policy wants",
        "servers/tang-a: opens",
        "servers/tang-b: opens",
    ];
    assert_eq!(said(&reports), expected);
}

#[test]
fn one_tang_down_two_of_three_still_open() {
    let Some((swtpm, first, second)) = peers() else { return };
    let file = server_file(&swtpm, &first, &second);
    drop(second);
    open(&file, &with_tpm(&swtpm)).unwrap();
    let reports = explain(&file, &with_tpm(&swtpm)).unwrap();
    assert_eq!(reports[0].outcome, Outcome::Opens);
    assert!(said(&reports)[2].starts_with("servers/tang-b: does not open: http://127.0.0.1:"), "{reports:?}");
}

#[test]
fn both_tang_down_nothing_opens_and_each_server_is_named() {
    let Some((swtpm, first, second)) = peers() else { return };
    let file = server_file(&swtpm, &first, &second);
    let addresses = [first.url(), second.url()];
    drop((first, second));
    let Err(OpenError::NoneOpens { reports }) = open(&file, &with_tpm(&swtpm)) else { panic!() };
    assert_eq!(reports[0].outcome.to_string(), "does not open: 1 of its 2 slots opened");
    let said = said(&reports);
    assert_eq!(said[0], "servers/tpm: opens");
    assert!(said[1].contains(&addresses[0]) && said[2].contains(&addresses[1]), "{said:?}");
}

#[test]
fn tpm_replaced_the_servers_still_open_and_it_is_said() {
    let Some((swtpm, first, second)) = peers() else { return };
    let file = server_file(&swtpm, &first, &second);
    drop(swtpm);
    let other = Swtpm::start();
    open(&file, &with_tpm(&other)).unwrap();
    let reports = explain(&file, &with_tpm(&other)).unwrap();
    assert!(said(&reports)[0].contains("this is another TPM than the one it was sealed to"), "{reports:?}");
    let reports = explain(&file, &surroundings()).unwrap();
    assert_eq!(said(&reports)[0], "servers/tpm: does not open: this machine has no TPM that could be asked");
}

#[test]
fn counter_bumped_what_was_signed_before_opens_no_more() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = TpmAddress::parse(&swtpm.address()).unwrap();
    let value = tpm::count(&address, COUNTER, &random()).unwrap();
    let signer = signer();
    let policy = Policy::Signed { key: signer.public().unwrap(), reference: "fleet".to_owned() };
    let (file, ..) = create(new("tpm", NewLock::Tpm2(policy)), &with_tpm(&swtpm)).unwrap();
    let generation = |most: u64| signed(&signer, &address, most);
    let ready = |policies| Surroundings { policies, ..with_tpm(&swtpm) };
    open(&file, &ready(vec![generation(value)])).unwrap();
    tpm::count(&address, COUNTER, &random()).unwrap();
    let reports = explain(&file, &ready(vec![generation(value)])).unwrap();
    let expected = format!(
        "does not open: no signed policy holds: generation {value}: counter {COUNTER:#010x} stands at {}; this was good \
         up to {value}",
        value + 1
    );
    assert_eq!(reports[0].outcome.to_string(), expected);
    open(&file, &ready(vec![generation(value), generation(value + 1)])).unwrap();
}

#[test]
fn wrong_signature_a_policy_that_holds_is_refused_all_the_same() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = TpmAddress::parse(&swtpm.address()).unwrap();
    let value = tpm::count(&address, COUNTER, &random()).unwrap();
    let (signer, stranger) = (signer(), signer());
    let policy = Policy::Signed { key: signer.public().unwrap(), reference: "fleet".to_owned() };
    let (file, ..) = create(new("tpm", NewLock::Tpm2(policy)), &with_tpm(&swtpm)).unwrap();
    let mut changed = signed(&signer, &address, value);
    changed.signature[5] ^= 1;
    let mut cut = signed(&signer, &address, value);
    cut.signature.truncate(10);
    for policy in [signed(&stranger, &address, value), changed, cut] {
        let ready = Surroundings { policies: vec![policy], ..with_tpm(&swtpm) };
        let reports = explain(&file, &ready).unwrap();
        let expected = format!(
            "does not open: policy generation {value} is not signed by key {}",
            signer.public().unwrap().fingerprint()
        );
        assert_eq!(reports[0].outcome.to_string(), expected);
    }
}

#[test]
fn slot_file_copied_to_another_machine_is_refused_by_name_and_if_renamed_by_its_binding() {
    let Some((swtpm, first, second)) = peers() else { return };
    let file = server_file(&swtpm, &first, &second);
    let other = Surroundings { machine: "web-2".to_owned(), ..with_tpm(&swtpm) };
    let error = open(&file, &other).err().unwrap().to_string();
    assert_eq!(error, "the slots were made for machine `web-1`, and this is `web-2`");
    let renamed = slot::print(&file).replace("web-1", "web-2");
    let renamed = slot::parse(renamed.as_bytes()).unwrap();
    let Err(OpenError::NoneOpens { reports }) = open(&renamed, &other) else { panic!() };
    let altered = "does not open: it was made for another machine, name or generation, or was changed since";
    assert!(said(&reports).iter().all(|line| line.ends_with(altered)), "{reports:?}");
}

#[test]
fn truncated_slot_file_is_refused_as_cut_short() {
    let Some((swtpm, first, second)) = peers() else { return };
    let text = slot::print(&server_file(&swtpm, &first, &second));
    let error = slot::parse(&text.as_bytes()[..text.len() / 2]).unwrap_err().to_string();
    assert_eq!(error, format!("it is cut short: it ends after {} bytes in the middle", text.len() / 2));
}

#[test]
fn second_slot_missing_the_first_reboot_is_refused() {
    let Some((swtpm, first, second)) = peers() else { return };
    let ready = with_tpm(&swtpm);
    let (mut file, key, _) = create(new("tpm", by_tpm(&swtpm)), &ready).unwrap();
    let points = lint::may_reboot(&file).unwrap_err();
    assert_eq!(points, ["when the TPM changes its mind or is replaced, nothing opens; add a slot without it"]);
    add(&mut file, &key, new("again", by_tpm(&swtpm)), &ready).unwrap();
    assert!(lint::may_reboot(&file).is_err(), "two slots of one TPM fail together");
    add(&mut file, &key, new("paper", NewLock::Recovery), &ready).unwrap();
    assert_eq!(lint::may_reboot(&file), Ok(()));
    assert_eq!(lint::may_reboot(&server_file(&swtpm, &first, &second)), Ok(()));
    let (typed_alone, ..) = create(new("typed", typed("a")), &ready).unwrap();
    assert_eq!(
        lint::may_reboot(&typed_alone).unwrap_err(),
        ["without slot typed (passphrase) nothing opens; add a second slot"]
    );
}

#[test]
fn a_file_that_tang_alone_opens_is_warned_of_and_refused_where_others_read_it() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let (mut file, key, _) = create(new("tang", by_tang(&server)), &surroundings()).unwrap();
    add(&mut file, &key, new("typed", typed("a")), &surroundings()).unwrap();
    let concerns = lint::concerns(&file, 0o600);
    assert_eq!(concerns.len(), 1);
    assert!(!concerns[0].is_refusal && concerns[0].text.starts_with("servers of tang alone open it"));
    assert!(lint::concerns(&file, 0o644).iter().all(|concern| concern.is_refusal));
}

#[test]
fn a_changed_byte_anywhere_opens_nothing_or_the_same_key() {
    let (file, key, _) = create(new("typed", typed("a")), &surroundings()).unwrap();
    let text = slot::print(&file).into_bytes();
    let ready = Surroundings { passphrase: Some(passphrase("a")), ..surroundings() };
    for index in 0..text.len() {
        let mut changed = text.clone();
        changed[index] ^= 1;
        let opened = slot::parse(&changed).ok().and_then(|file| open(&file, &ready).ok());
        assert!(opened.is_none_or(|opened| opened.key.expose() == key.expose()), "byte {index}");
    }
}

fn signer() -> PolicySigner {
    let pem = output(
        command("/usr/bin/openssl").args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        b"",
    );
    let der = output(command("/usr/bin/openssl").args(["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"]), &pem);
    PolicySigner::of_pkcs8(&der).unwrap()
}

/// What holds now, with the counter at most so far.
fn signed(signer: &PolicySigner, address: &TpmAddress, most: u64) -> SignedPolicy {
    let registers = tpm::registers(address, &[7], &random()).unwrap();
    let statement = Statement { registers, counter: Some(CounterBound { index: COUNTER, most }) };
    let signature = signer.sign(&statement, "fleet").unwrap();
    SignedPolicy { name: format!("generation {most}"), statement, signature }
}
