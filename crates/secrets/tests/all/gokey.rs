//! Outputs of the real gokey, made with every kind it has.

use aux_secrets::SecretBytes;
use aux_secrets::gokey::{GokeyError, GokeyKind, Request, derive};
use serde_json::Value;

use crate::corpora::corpus;

fn vectors() -> Option<Value> {
    let path = corpus("secrets/gokey-vectors.json")?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn asked(vector: &Value, seed: Option<&SecretBytes>, is_legacy: bool) -> Result<SecretBytes, GokeyError> {
    let text = |name: &str| vector[name].as_str().unwrap();
    let length = vector["length"].as_u64().map(|length| u32::try_from(length).unwrap());
    let kind = GokeyKind::of(text("kind"), length).unwrap();
    let master = SecretBytes::from(text("password").to_owned());
    derive(&Request { master: &master, realm: text("realm"), kind, seed, is_legacy })
}

fn shown(vector: &Value, value: &SecretBytes) -> String {
    match vector["kind"].as_str() {
        Some("raw") => aux_core::hexadecimal(value.reveal()),
        _ => value.reveal_text().unwrap().to_owned(),
    }
}

#[test]
fn every_output_without_a_seed_is_reproduced() {
    let Some(vectors) = vectors() else { return };
    let unseeded = vectors["vectors"].as_array().unwrap().iter().filter(|vector| vector["seed"] == false);
    let mut count = 0;
    for vector in unseeded.chain([&vectors["ci_vector"]]) {
        let mut vector = vector.clone();
        if vector["kind"].is_null() {
            vector["kind"] = "pass".into();
        }
        let value = asked(&vector, None, false).unwrap();
        assert_eq!(shown(&vector, &value), vector["out"].as_str().unwrap(), "{vector}");
        count += 1;
    }
    assert_eq!(count, 146 + 1);
}

#[test]
fn outputs_with_a_seed_need_the_switch_that_names_the_defect() {
    let Some(vectors) = vectors() else { return };
    let digits = vectors["seed_hex"].as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let seed = SecretBytes::from(digits.chunks(2).map(byte).collect::<Vec<_>>());
    let seeded: Vec<&Value> =
        vectors["vectors"].as_array().unwrap().iter().filter(|vector| vector["seed"] == true).collect();
    assert_eq!(seeded.len(), 27);
    for vector in &seeded {
        assert_eq!(asked(vector, Some(&seed), false).err(), Some(GokeyError::Seed));
        let value = asked(vector, Some(&seed), true).unwrap();
        assert_eq!(shown(vector, &value), vector["out"].as_str().unwrap(), "{vector}");
    }
    let mut other = seeded[0].clone();
    other["password"] = "pass2".into();
    assert_eq!(asked(&other, Some(&seed), true).err(), Some(GokeyError::SeedPassword));
    let short = SecretBytes::from(&b"short"[..]);
    assert!(matches!(asked(seeded[0], Some(&short), true), Err(GokeyError::SeedLength { bytes: 5, expected: 256 })));
}
