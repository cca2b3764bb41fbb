//! Webhooks against a receiver that verifies them with Standard Webhooks' own library.

use aux_alert::webhook::Webhook;
use aux_alert::{Channel, Secret, SendError};
use aux_io::http::{HttpClient, HttpOptions};
use jiff::Timestamp;
use serde_json::Value;

use crate::peer::{Peer, command, message, python, script};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn channel(port: &str, path: &str, secret: Option<&str>) -> Webhook {
    let url = Secret::new(format!("http://127.0.0.1:{port}/hidden-token/{path}"));
    let client = HttpClient::new(HttpOptions::new("aux/test")).unwrap();
    Webhook::new("webhook.team", &url, secret.map(Secret::new).as_ref(), client).unwrap()
}

fn receiver() -> Option<(Peer, String)> {
    let mut peer = Peer::start(command(python()?).arg(script("webhook.py")).arg(SECRET));
    let port = peer.line();
    Some((peer, port))
}

/// The library refuses what is older than five minutes, so these are dated as the real world is.
fn real_now() -> Timestamp {
    Timestamp::now()
}

#[test]
fn the_standards_own_library_verifies_what_is_sent() {
    let Some((mut peer, port)) = receiver() else { return };
    channel(&port, "204", Some(SECRET)).send(&[message("CVE-1")], real_now()).unwrap();
    let seen: Value = serde_json::from_str(&peer.line()).unwrap();
    assert_eq!(seen["verdict"], "verified");
    assert_eq!(seen["id"], "msg_CVE-1");
    assert_eq!(seen["body"]["type"], "aux.alert.new");
    assert_eq!(seen["body"]["data"]["package"], "openssl");
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    channel(&port, "204", Some(other)).send(&[message("CVE-1")], real_now()).unwrap();
    let seen: Value = serde_json::from_str(&peer.line()).unwrap();
    assert_ne!(seen["verdict"], "verified", "another secret's signature must not pass");
}

#[test]
fn answers_say_whether_another_attempt_is_worth_it_and_errors_do_not_show_the_path() {
    let Some((_peer, port)) = receiver() else { return };
    let sent = |path: &str| channel(&port, path, Some(SECRET)).send(&[message("CVE-1")], real_now()).unwrap_err();
    for (path, is_passing) in [("500", true), ("503", true), ("429", true), ("410", false), ("401", false)] {
        let error = sent(path);
        assert_eq!(matches!(error, SendError::Passing { .. }), is_passing, "{error}");
        assert!(error.to_string().contains(path) && !error.to_string().contains("hidden-token"), "{error}");
    }
    assert!(matches!(sent("429"), SendError::Passing { retry_after_seconds: Some(120), .. }));
    let closed = channel("1", "204", None).send(&[message("CVE-1")], real_now()).unwrap_err();
    assert!(matches!(&closed, SendError::Passing { .. }) && !closed.to_string().contains("hidden"), "{closed}");
}
