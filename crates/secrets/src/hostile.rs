//! Every parser of foreign bytes on damaged forms of a good one: errors are fine, panics are not.

use crate::age_file::{Identities, Recipient, decrypt};
use crate::declaration::Declaration;
use crate::delivery::Delivery;
use crate::secret::SecretBytes;
use crate::{Manifest, Signer, envelope, sops, sshsig};

const DECLARATION: &str = "[fleet]\nid = \"00112233445566778899aabbccddeeff\"\nrecovery = []\n[groups.web]\n[machines.a]\n\
                           groups = [\"web\"]\n[secrets.x]\ntype = \"password\"\nlength = 20\nmin_digit = 1\nscope = \"group:web\"\n";

/// Each byte changed, each start cut off, and numbers made large.
fn damaged(good: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new(), good.to_vec()];
    for at in 0..good.len() {
        all.push(good[..at].to_vec());
        for byte in [0, b'"', 0xff] {
            let mut changed = good.to_vec();
            changed[at] = byte;
            all.push(changed);
        }
    }
    all.push(String::from_utf8_lossy(good).replace('1', "99999999999999999999").into_bytes());
    all
}

#[test]
fn declarations_and_manifests() {
    let declaration = Declaration::read(DECLARATION.as_bytes()).unwrap();
    for bytes in damaged(DECLARATION.as_bytes()) {
        drop(Declaration::read(&bytes));
    }
    let manifest = Manifest::shape(&declaration).to_text();
    assert!(Manifest::unverified(manifest.as_bytes()).is_ok());
    for bytes in damaged(manifest.as_bytes()) {
        drop(Manifest::unverified(&bytes));
    }
}

#[test]
fn signatures_envelopes_and_keys() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let known = [Signer::of(&key.verifying_key())];
    for bytes in damaged(sshsig::sign(b"m", &key).as_bytes()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        drop(sshsig::verify(b"m", &text, &known));
        drop(sshsig::read_key(&SecretBytes::from(bytes)));
        drop(Signer::try_from(text.clone()));
        drop(Recipient::try_from(text));
    }
    let envelope = b"aux-envelope 1\nfleet: 00112233445566778899aabbccddeeff\nscope: group:web\nname: x\nversion: 1\npolicy: 00\n\nv";
    for bytes in damaged(envelope) {
        drop(envelope::parse(&bytes));
        drop(Delivery::read(&SecretBytes::from(bytes.clone())).err());
        drop(decrypt(&bytes, &Identities::default()).err());
    }
}

#[test]
fn files_of_sops() {
    let json = include_str!("../../../fuzz/seeds/sops/file.json");
    let yaml = include_str!("../../../fuzz/seeds/sops/file.yaml");
    let nobody = Identities::default();
    for (text, format) in [(json, sops::Format::Json), (yaml, sops::Format::Yaml)] {
        let error = sops::open(text, format, &nobody).err().unwrap();
        assert!(matches!(error, sops::SopsError::NoIdentity { .. }), "{error}");
        for bytes in damaged(text.as_bytes()) {
            drop(sops::open(&String::from_utf8_lossy(&bytes), format, &nobody).err());
        }
    }
}
