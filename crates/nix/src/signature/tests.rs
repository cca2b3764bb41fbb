//! RFC 8032's vectors, a key made by real Nix, and what does not convince.

use super::*;
use zeroize::Zeroizing;

/// What `nix-store --generate-binary-cache-key` of Nix 2.8 made for these tests alone.
const SECRET: &str = include_str!("../../tests/vectors/2.8/cache/secret-key");
const PUBLIC: &str = include_str!("../../tests/vectors/2.8/cache/public-key");

fn bytes<const N: usize>(hexadecimal: &str) -> [u8; N] {
    let digit = |index: usize| u8::from_str_radix(&hexadecimal[index * 2..index * 2 + 2], 16).unwrap();
    std::array::from_fn(digit)
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

#[test]
fn rfc_8032s_vectors_are_signed_and_verified() {
    // Section 7.1: TEST 1, TEST 2 and TEST 3; seed, public key, message, signature.
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &[][..],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72][..],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82][..],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = SecretKey::new(name("k"), Zeroizing::new(bytes(seed))).unwrap();
        assert_eq!(key.public().bytes, bytes(public));
        let signed = key.sign(message);
        assert_eq!(signed.bytes, bytes(signature));
        let trusted = TrustedKeys::new([key.public().clone()]);
        assert_eq!(trusted.verify((), message, &[signed]).unwrap().proof(), &Proof::Signature(name("k")));
    }
}

#[test]
fn nixs_key_files_are_read_and_printed_back() {
    let key = SecretKey::parse(SECRET).unwrap();
    assert_eq!(key.reveal().as_str(), SECRET);
    assert_eq!(key.public().to_string(), PUBLIC);
    assert_eq!(PublicKey::parse(PUBLIC).unwrap(), *key.public());
    assert!(SecretKey::parse(&format!("{SECRET}\n")).is_ok());
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let refused = |text: &str| SecretKey::parse(text).err().unwrap();
    assert_eq!(refused("abc"), KeyError::NoColon);
    assert_eq!(refused(":abc"), KeyError::Name);
    assert_eq!(refused(&format!("{}:a", "n".repeat(256))), KeyError::Name);
    let wrong = KeyError::Bytes { what: "the secret key", length: 64 };
    for text in ["n:", "n:AAAA", &format!("n:{}", "A".repeat(200)), &SECRET.replace("==", ""), PUBLIC] {
        assert_eq!(refused(text), wrong);
        assert!(!wrong.to_string().contains("AAAA"));
    }
    let swapped = SECRET.replace("vectors", "other").replace("9JLQ==", "9JKQ==");
    assert_eq!(refused(&swapped), KeyError::Halves { name: "other.example-1".into() });
    assert!(matches!(PublicKey::parse("n:AAAA"), Err(KeyError::Bytes { length: 32, .. })));
    // The last digit of 32 bytes has two bits to spare, which must be zero.
    assert!(PublicKey::parse(&PUBLIC.replace("SS0=", "SS1=")).is_err());
}

#[test]
fn only_a_trusted_keys_signature_of_this_very_message_convinces() {
    let key = SecretKey::parse(SECRET).unwrap();
    let other = SecretKey::new(name("other"), Zeroizing::new([7; 32])).unwrap();
    let posing = SecretKey::new(key.public().name.clone(), Zeroizing::new([8; 32])).unwrap();
    let trusted = TrustedKeys::parse(PUBLIC).unwrap();
    let verify = |signatures: &[Signature]| trusted.verify((), b"m", signatures).map(|_| ());
    assert_eq!(verify(&[other.sign(b"m"), key.sign(b"m")]), Ok(()));
    assert_eq!(verify(&[posing.sign(b"m"), key.sign(b"m")]), Ok(()));
    assert_eq!(verify(&[]), Err(SignatureError::Unsigned));
    assert_eq!(verify(&[other.sign(b"m")]), Err(SignatureError::Untrusted { signers: vec!["other".into()] }));
    let wrong = SignatureError::Wrong { key: "vectors.example-1".into() };
    assert_eq!(verify(&[posing.sign(b"m")]), Err(wrong.clone()));
    assert_eq!(verify(&[key.sign(b"n")]), Err(wrong));
    // While a key is replaced, two of one name are trusted.
    let both = TrustedKeys::new([key.public().clone(), posing.public().clone()]);
    assert!(both.verify((), b"m", &[posing.sign(b"m")]).is_ok());
}

#[test]
fn a_signature_is_printed_as_it_was_read() {
    let text = SecretKey::parse(SECRET).unwrap().sign(b"m").to_string();
    assert_eq!(Signature::parse(&text).unwrap().to_string(), text);
    assert!(matches!(Signature::parse("n:AAAA"), Err(KeyError::Bytes { length: 64, .. })));
}
