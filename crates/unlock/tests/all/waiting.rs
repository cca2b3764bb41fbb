//! Servers that take a connection and never answer: they delay nobody, and are named when all are waited for.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aux_io::http::{HttpClient, HttpOptions};
use aux_unlock::{NewLock, Outcome, Surroundings, create, explain, open, slot};

use crate::slots::{by_tang, new, passphrase, surroundings, typed};
use crate::tang_server::{Tang, tang_is_here};

#[test]
fn a_server_that_never_answers_delays_nobody_and_is_named() {
    if !tang_is_here() {
        return;
    }
    let server = Tang::start();
    let locks = vec![new("tang", by_tang(&server)), new("typed", typed("a"))];
    let (file, ..) = create(new("any", NewLock::Threshold { threshold: 1, slots: locks }), &surroundings()).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    // The JWE's header is base64: the address in it is replaced where it is text.
    let file = moved(&slot::print(&file), &server.url(), &address);
    drop(server);

    let began = Instant::now();
    let ready = Surroundings { passphrase: Some(passphrase("a")), ..surroundings() };
    assert_eq!(open(&file, &ready).unwrap().path, "any");
    assert!(began.elapsed() < Duration::from_secs(4), "the silent server was waited for");

    let mut options = HttpOptions::new("aux-tests");
    options.total_limit = Duration::from_millis(200);
    let http = HttpClient::new(options).unwrap();
    let reports = explain(&file, &Surroundings { http, ..ready.clone() }).unwrap();
    assert_eq!(reports[0].outcome, Outcome::Opens);
    let said = reports[0].slots[0].outcome.to_string();
    assert!(said.starts_with(&format!("does not open: {address}/rec/")) && said.contains("took longer"), "{said}");

    let limit = Duration::from_millis(100);
    let reports = explain(&file, &Surroundings { limit, ..surroundings() }).unwrap();
    assert_eq!(reports[0].slots[0].outcome.to_string(), "does not open: no answer within 0 seconds");
}

/// The same file with another address of the server: its header then proves nothing, and the server is asked all the same.
fn moved(text: &str, old: &str, new: &str) -> slot::SlotFile {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let (start, rest) = text.split_once("\"jwe\": \"").unwrap();
    let (header, rest) = rest.split_once('.').unwrap();
    let header = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.encode(header.replace(old, new));
    slot::parse(format!("{start}\"jwe\": \"{header}.{rest}").as_bytes()).unwrap()
}
