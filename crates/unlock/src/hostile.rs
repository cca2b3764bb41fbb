//! Damaged slot files, advertisements and JWEs, and a TPM that answers anything, end in a value or an error, never in a panic.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use aux_io::tpm::TpmAddress;

use crate::random::Randomness;
use crate::tpm::PolicyKey;
use crate::{RecoveryKey, slot, tang, tpm};

#[test]
fn damaged_slot_files_are_refused_or_print_as_they_are_read() {
    damage::every_form("slots", &|bytes| {
        if let Ok(file) = slot::parse(bytes) {
            assert_eq!(slot::parse(slot::print(&file).as_bytes()), Ok(file));
        }
        if let Ok(policies) = slot::parse_policies(bytes) {
            assert_eq!(slot::parse_policies(slot::print_policies(&policies).as_bytes()), Ok(policies));
        }
        if let Ok(key) = slot::parse_tpm_key(bytes) {
            assert_eq!(slot::parse_tpm_key(slot::print_tpm_key(&key).as_bytes()), Ok(key));
        }
    });
}

#[test]
fn damaged_advertisements_are_not_believed() {
    let whole = include_bytes!("../../../fuzz/seeds/tang/advertisement");
    let signers = tang::Advertisement::verify(whole).unwrap().signers();
    damage::every_form("tang", &|bytes| {
        // White space around it changes nothing; whatever else still verifies names the same signers.
        if let Ok(believed) = tang::Advertisement::verify(bytes) {
            assert_eq!(believed.signers(), signers);
        }
        let _key = PolicyKey::of_pem(bytes);
    });
    damage::every_text("tang", &|text| {
        let _binding = tang::binding(text);
        let _recovery = RecoveryKey::parse(text).is_ok();
    });
}

#[test]
fn a_tpm_that_answers_anything_is_refused() {
    let object = slot::parse_tpm_key(include_bytes!("../tests/vectors/tpm-key.json")).unwrap();
    let random = Randomness::new(|bytes| {
        bytes.fill(5);
        Ok(())
    });
    for seed in 0..64_u32 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = TpmAddress::Swtpm(listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut state = seed.wrapping_mul(2_654_435_761);
            let mut command = [0; 4096];
            while stream.read(&mut command).is_ok_and(|length| length > 0) {
                let mut body: Vec<u8> = Vec::new();
                for _ in 0..state % 200 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    body.push((state >> 24) as u8 & if state & 0x4000 == 0 { 3 } else { 0xFF });
                }
                state = state.wrapping_add(77);
                let tag: u16 = if state & 1 == 0 { 0x8001 } else { 0x8002 };
                let length = u32::try_from(10 + body.len()).unwrap();
                let answer = [&tag.to_be_bytes()[..], &length.to_be_bytes(), &[0; 4], &body].concat();
                if stream.write_all(&answer).is_err() {
                    return;
                }
            }
        });
        assert!(tpm::unseal(&address, &object, &[], &random).is_err());
        let _value = tpm::counter(&address, 0x0150_0020, &random);
        drop(tpm::registers(&address, &[7], &random));
        drop(server);
    }
}
