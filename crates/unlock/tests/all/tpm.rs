//! The TPM: what is sealed opens while its policy holds, our digests are those of others, and nothing is left behind.

use std::collections::BTreeMap;
use std::fs;

use aux_io::tpm::TpmAddress;
use aux_unlock::tpm::{self, CounterBound, Policy, PolicySigner, SealError, SignedPolicy, Statement};

use crate::surroundings::random;
use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{command, output};

const COUNTER: u32 = 0x0150_0020;

fn address(swtpm: &Swtpm) -> TpmAddress {
    TpmAddress::parse(&swtpm.address()).unwrap()
}

/// What holds now.
fn now(address: &TpmAddress, registers: &[u8], counter: Option<CounterBound>) -> Statement {
    Statement { registers: tpm::registers(address, registers, &random()).unwrap(), counter }
}

/// A key made by openssl.
fn signer(arguments: &[&str]) -> PolicySigner {
    let pem = output(command("/usr/bin/openssl").arg("genpkey").args(arguments), b"");
    let der = output(command("/usr/bin/openssl").args(["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"]), &pem);
    PolicySigner::of_pkcs8(&der).unwrap()
}

fn p256() -> PolicySigner {
    signer(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
}

#[test]
fn what_is_sealed_opens_until_a_register_changes() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = address(&swtpm);
    let policy = Policy::Measured(now(&address, &[7, 11, 0, 1, 2, 3, 4, 5, 14], None));
    let object = tpm::seal(&address, &policy, b"a key", &random()).unwrap();
    assert_eq!(tpm::unseal(&address, &object, &[], &random()).unwrap().as_slice(), b"a key");
    assert_eq!(swtpm.left_behind(), "");
    tpm::extend(&address, 11, &[1; 32], &random()).unwrap();
    let error = tpm::unseal(&address, &object, &[], &random()).unwrap_err();
    assert_eq!(error.to_string(), "PCR 11 has another value than the policy wants");
    assert_eq!(swtpm.left_behind(), "");
}

#[test]
fn another_tpm_opens_nothing_and_says_that_it_is_another() {
    if !swtpm_is_here() {
        return;
    }
    let (first, second) = (Swtpm::start(), Swtpm::start());
    let policy = Policy::Measured(now(&address(&first), &[7], None));
    let object = tpm::seal(&address(&first), &policy, b"a key", &random()).unwrap();
    let error = tpm::unseal(&address(&second), &object, &[], &random()).unwrap_err();
    assert!(matches!(error, SealError::Replaced { .. }), "{error}");
    assert_eq!(second.left_behind(), "");
}

#[test]
fn a_counter_that_has_moved_on_closes_what_was_bound_to_it() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = address(&swtpm);
    assert_eq!(tpm::counter(&address, COUNTER, &random()).unwrap(), None);
    let value = tpm::count(&address, COUNTER, &random()).unwrap();
    let statement = now(&address, &[7], Some(CounterBound { index: COUNTER, most: value }));
    let object = tpm::seal(&address, &Policy::Measured(statement), b"a key", &random()).unwrap();
    assert_eq!(tpm::unseal(&address, &object, &[], &random()).unwrap().as_slice(), b"a key");
    assert_eq!(tpm::count(&address, COUNTER, &random()).unwrap(), value + 1);
    let error = tpm::unseal(&address, &object, &[], &random()).unwrap_err();
    let expected = format!("counter 0x01500020 stands at {}; this was good up to {value}", value + 1);
    assert_eq!(error.to_string(), expected);
    assert_eq!(swtpm.left_behind(), "");
}

#[test]
fn a_slot_bound_to_a_key_opens_by_what_that_key_signs_and_nothing_else() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = address(&swtpm);
    let rsa = signer(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    for signer in [p256(), rsa] {
        let value = tpm::count(&address, COUNTER, &random()).unwrap();
        let policy = Policy::Signed { key: signer.public().unwrap(), reference: "fleet".to_owned() };
        let object = tpm::seal(&address, &policy, b"a key", &random()).unwrap();
        let statement = now(&address, &[4, 7], Some(CounterBound { index: COUNTER, most: value }));
        let signed = |by: &PolicySigner, reference: &str, statement: &Statement| SignedPolicy {
            name: "generation 1".to_owned(),
            statement: statement.clone(),
            signature: by.sign(statement, reference).unwrap(),
        };
        let open = |policies: &[SignedPolicy]| tpm::unseal(&address, &object, policies, &random());
        assert_eq!(open(&[signed(&signer, "fleet", &statement)]).unwrap().as_slice(), b"a key");
        let elsewhere = Statement { registers: BTreeMap::from([(7, [9; 32])]), counter: None };
        let both = [signed(&signer, "fleet", &elsewhere), signed(&signer, "fleet", &statement)];
        assert_eq!(open(&both).unwrap().as_slice(), b"a key");
        for forged in [signed(&p256(), "fleet", &statement), signed(&signer, "other", &statement)] {
            assert!(matches!(open(&[forged]), Err(SealError::Signature { .. })));
        }
        assert!(matches!(open(&[]), Err(SealError::NoPolicy { .. })));
        assert!(matches!(open(&both[..1]), Err(SealError::NoneHolds { .. })));
        tpm::count(&address, COUNTER, &random()).unwrap();
        assert!(matches!(open(&both), Err(SealError::NoneHolds { .. })));
        assert_eq!(swtpm.left_behind(), "");
    }
}

#[test]
fn our_digests_are_those_of_tpm2_tools_and_of_the_tpm() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = address(&swtpm);
    let folder = tempfile::tempdir().unwrap();
    swtpm.tool(folder.path(), "tpm2_createpolicy -Q --policy-pcr -l sha256:0,2,4,7,11 -L policy");
    let statement = now(&address, &[0, 2, 4, 7, 11], None);
    assert_eq!(fs::read(folder.path().join("policy")).unwrap(), statement.digest());
    let value = tpm::count(&address, COUNTER, &random()).unwrap();
    let bound = CounterBound { index: COUNTER, most: value + 3 };
    let statement = now(&address, &[7], Some(bound));
    assert_eq!(tpm::trial(&address, &statement, &random()).unwrap(), statement.digest());
    aux_io::file::replace(folder.path().join("operand"), &(value + 3).to_be_bytes()).unwrap();
    swtpm.tool(folder.path(), "tpm2_startauthsession -Q -S session");
    swtpm.tool(folder.path(), "tpm2_policypcr -Q -S session -l sha256:7 -L first");
    swtpm.tool(folder.path(), "tpm2_policynv -Q -S session -i operand 0x1500020 ule -L both");
    swtpm.tool(folder.path(), "tpm2_flushcontext session");
    assert_eq!(fs::read(folder.path().join("both")).unwrap(), statement.digest());
}

#[test]
fn a_persistent_root_key_is_used_and_a_key_of_others_is_not() {
    if !swtpm_is_here() {
        return;
    }
    let swtpm = Swtpm::start();
    let address = address(&swtpm);
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::Measured(now(&address, &[7], None));
    let object = tpm::seal(&address, &policy, b"a key", &random()).unwrap();
    // An RSA key where ours would be.
    swtpm.tool(folder.path(), "tpm2_createprimary -Q -C o -G rsa2048 -c rsa.ctx");
    swtpm.tool(folder.path(), "tpm2_evictcontrol -Q -C o -c rsa.ctx 0x81000001");
    swtpm.tool(folder.path(), "tpm2_flushcontext -t");
    assert_eq!(tpm::unseal(&address, &object, &[], &random()).unwrap().as_slice(), b"a key");
    let again = tpm::seal(&address, &policy, b"a key", &random()).unwrap();
    assert_eq!(tpm::unseal(&address, &again, &[], &random()).unwrap().as_slice(), b"a key");
    assert_eq!(swtpm.left_behind(), "");
}
