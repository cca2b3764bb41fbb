//! Tang: what clevis wrote opens here, what is written here opens with clevis, and who is trusted is asked each time.

use aux_unlock::tang;

use crate::clevis::clevis;
use crate::surroundings::{http, random};
use crate::tang_server::{Tang, tang_is_here};

#[test]
fn a_jwe_of_clevis_opens_here() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let jwe = server.clevis_encrypt(b"a key");
    assert_eq!(tang::recover(&jwe, &http(), &random()).unwrap().as_slice(), b"a key");
    let binding = tang::binding(&jwe).unwrap();
    assert_eq!(binding.url, server.url());
    assert_eq!(binding.signers, [server.thumbprint()]);
}

#[test]
fn a_jwe_of_ours_opens_with_clevis() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let trusted = tang::ask(&http(), &server.url()).unwrap().trusted(&server.thumbprint()).unwrap();
    let jwe = tang::bind(&server.url(), &trusted, b"a key", &random()).unwrap();
    assert_eq!(clevis(&["decrypt"], jwe.as_bytes()), b"a key");
    assert_eq!(tang::recover(&jwe, &http(), &random()).unwrap().as_slice(), b"a key");
}

#[test]
fn a_threshold_of_clevis_opens_here_with_one_server_down() {
    if !tang_is_here() {
        return;
    }
    let (first, second, third) = (Tang::start(), Tang::start(), Tang::start());
    let pins = format!(r#"{{"t":2,"pins":{{"tang":[{},{},{}]}}}}"#, first.pin(), second.pin(), third.pin());
    let jwe = String::from_utf8(clevis(&["encrypt", "sss", &pins], b"a key")).unwrap();
    drop(second);
    assert_eq!(tang::open_clevis(&jwe, &http(), &random()).unwrap().as_slice(), b"a key");
    drop(third);
    let error = tang::open_clevis(&jwe, &http(), &random()).unwrap_err().to_string();
    assert!(error.starts_with("1 of 2 shares opened: "), "{error}");
}

#[test]
fn an_advertisement_is_trusted_by_its_signer_alone() {
    if !tang_is_here() {
        return;
    }
    let (server, other) = (Tang::start(), Tang::start());
    let advertisement = tang::ask(&http(), &server.url()).unwrap();
    assert_eq!(advertisement.signers(), [server.thumbprint()]);
    let error = advertisement.trusted(&other.thumbprint()).unwrap_err().to_string();
    assert!(error.contains(&other.thumbprint()) && error.contains(&server.thumbprint()), "{error}");
}

#[test]
fn retired_keys_still_open_and_are_not_offered_any_more() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let jwe = server.clevis_encrypt(b"a key");
    let thumbprint = tang::binding(&jwe).unwrap().thumbprint;
    assert!(tang::ask(&http(), &server.url()).unwrap().offers(&thumbprint));
    server.rotate();
    assert!(!tang::ask(&http(), &server.url()).unwrap().offers(&thumbprint));
    assert_eq!(tang::recover(&jwe, &http(), &random()).unwrap().as_slice(), b"a key");
    server.replace_keys();
    let error = tang::recover(&jwe, &http(), &random()).unwrap_err().to_string();
    assert!(error.contains("has no key") && error.contains(&thumbprint), "{error}");
}
