//! Signatures of OpenSSH, and who may have made them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let known = aux_secrets::acts::allowed_signers(text);
    let _verified = aux_secrets::sshsig::verify(b"message", text, &known);
});
