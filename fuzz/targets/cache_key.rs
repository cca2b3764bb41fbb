//! Keys and signatures of caches: what is read is printed as it was, and no signature of another message convinces.
#![no_main]

use aux_nix::signature::{PublicKey, SecretKey, Signature, TrustedKeys};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = SecretKey::parse(text) {
        assert_eq!(key.reveal().as_str(), text.trim_ascii_end());
        let trusted = TrustedKeys::new([key.public().clone()]);
        assert!(trusted.verify((), data, &[key.sign(data)]).is_ok());
        assert!(trusted.verify((), b"", &[key.sign(data)]).is_err());
    }
    let _key = PublicKey::parse(text).inspect(|key| assert_eq!(key.to_string(), text));
    let _signature = Signature::parse(text).inspect(|signature| assert_eq!(signature.to_string(), text));
});
