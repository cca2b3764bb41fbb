//! Delivery to a key in the TPM: anybody encrypts with age's own recipient, one TPM opens, and not after a change.

use std::str::FromStr;

use aux_io::tpm::TpmAddress;
use aux_unlock::tpm::{self, Policy, SealError, Statement};
use aux_unlock::{TagIdentity, slot};

use crate::surroundings::random;
use crate::swtpm::{Swtpm, swtpm_is_here};

fn made(swtpm: &Swtpm) -> TagIdentity {
    let address = TpmAddress::parse(&swtpm.address()).unwrap();
    let registers = tpm::registers(&address, &[7], &random()).unwrap();
    let policy = Policy::Measured(Statement { registers, counter: None });
    let object = tpm::make_key(&address, &policy, &random()).unwrap();
    let object = slot::parse_tpm_key(slot::print_tpm_key(&object).as_bytes()).unwrap();
    TagIdentity::new(address, object, Vec::new(), random()).unwrap()
}

#[test]
fn what_age_encrypts_to_the_tag_opens_in_that_tpm_until_a_register_changes() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let identity = made(&swtpm);
    let text = identity.recipient().unwrap();
    assert!(text.starts_with("age1tag1"), "{text}");
    let recipient = age::tag::Recipient::from_str(&text).unwrap();
    assert_eq!(recipient.to_string(), text);
    let sealed = age::encrypt(&recipient, b"K_m").unwrap();
    assert_eq!(age::decrypt(&identity, &sealed).unwrap(), b"K_m");
    assert_eq!(swtpm.left_behind(), "");

    tpm::extend(&TpmAddress::parse(&swtpm.address()).unwrap(), 7, &[1; 32], &random()).unwrap();
    assert!(age::decrypt(&identity, &sealed).is_err());
    assert!(matches!(identity.refusal(), Some(SealError::Registers { registers }) if registers == [7]));
    assert_eq!(swtpm.left_behind(), "");
}

#[test]
fn a_file_for_another_key_is_told_without_asking_the_tpm() {
    if !swtpm_is_here() {
        return;
    }
    let (first, second) = (Swtpm::start(), Swtpm::start());
    let (own, other) = (made(&first), made(&second));
    let recipient = age::tag::Recipient::from_str(&other.recipient().unwrap()).unwrap();
    let sealed = age::encrypt(&recipient, b"K_m").unwrap();
    drop(first);
    assert!(matches!(age::decrypt(&own, &sealed), Err(age::DecryptError::NoMatchingKeys)));
    assert!(own.refusal().is_none());
}
