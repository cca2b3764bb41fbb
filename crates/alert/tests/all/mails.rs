//! Mail against a real SMTP server with STARTTLS and passwords.

use aux_alert::mail::{Encryption, Mail, MailError, MailOptions};
use aux_alert::{Channel, Message, Secret, SendError};
use serde_json::Value;

use crate::peer::{Peer, command, message, now, program, python, script};

/// A server, its port, and the certificate it shows.
struct Server {
    _folder: tempfile::TempDir,
    peer: Peer,
    port: u16,
    certificate: Vec<u8>,
}

fn server() -> Option<Server> {
    let (python, openssl) = (python()?, program("openssl")?);
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let made = command(openssl)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut peer = Peer::start(command(python).arg(script("smtp.py")).arg(&certificate).arg(&key).arg("login"));
    let port = peer.line().parse().unwrap();
    Some(Server { port, peer, certificate: std::fs::read(&certificate).unwrap(), _folder: folder })
}

impl Server {
    fn options(&self, password: &str, to: &str) -> MailOptions {
        MailOptions {
            server: "localhost".to_owned(),
            port: Some(self.port),
            encryption: Encryption::StartTls,
            extra_certificates: Some(self.certificate.clone()),
            user: Some(("aux".to_owned(), Secret::new(password))),
            from: "aux <aux@example.org>".to_owned(),
            to: vec![to.to_owned()],
        }
    }
}

fn send(options: &MailOptions, messages: &[Message]) -> Result<(), SendError> {
    Mail::new("mail.team", options).unwrap().send(messages, now()).map(drop)
}

#[test]
fn everything_due_goes_in_one_mail_over_tls_and_a_repetition_has_the_same_id() {
    let Some(mut server) = server() else { return };
    let options = server.options("correct horse", "team@example.org");
    send(&options, &[message("CVE-1")]).unwrap();
    let first: Value = serde_json::from_str(&server.peer.line()).unwrap();
    assert_eq!(first["tls"], true);
    assert_eq!(first["to"], serde_json::json!(["team@example.org"]));
    assert_eq!(first["headers"]["subject"], "[aux] vulnerable: openssl 1.0.1f on web-1: CVE-1");
    assert_eq!(first["headers"]["auto-submitted"], "auto-generated");
    assert_eq!(first["headers"]["date"], "Fri, 02 Jan 2026 03:04:05 +0000");
    assert!(first["text"].as_str().unwrap().contains("What to do: update openssl to 1.0.1g"));
    send(&options, &[message("CVE-1")]).unwrap();
    let again: Value = serde_json::from_str(&server.peer.line()).unwrap();
    assert_eq!(again["headers"]["message-id"], first["headers"]["message-id"]);
    send(&options, &[message("CVE-1"), message("CVE-2")]).unwrap();
    let two: Value = serde_json::from_str(&server.peer.line()).unwrap();
    assert_eq!(two["headers"]["subject"], "[aux] 2 security alerts");
    assert_ne!(two["headers"]["message-id"], first["headers"]["message-id"]);
}

#[test]
fn names_that_try_to_add_headers_or_steer_a_terminal_arrive_as_text() {
    let Some(mut server) = server() else { return };
    let mut hostile = message("CVE-1\r\nBcc: victim@example.org");
    hostile.event.package = "x\u{1b}[2J\r\n.\r\nMAIL FROM:<evil@example.org>".to_owned();
    hostile.event.title = Some("zażółć\u{202e}".to_owned());
    send(&server.options("correct horse", "team@example.org"), &[hostile]).unwrap();
    let seen: Value = serde_json::from_str(&server.peer.line()).unwrap();
    assert_eq!(seen["to"], serde_json::json!(["team@example.org"]));
    assert!(seen["headers"].get("bcc").is_none());
    let text = seen["text"].as_str().unwrap().replace("\r\n", "\n");
    assert!(text.contains("zażółć") && text.contains(r"\u{1b}[2J\r\n"), "{text}");
    assert!(!text.chars().any(|character| character != '\n' && aux_core::visible::is_unsafe(character)), "{text}");
}

#[test]
fn what_goes_wrong_is_told_apart_and_shows_no_password() {
    let Some(server) = server() else { return };
    let sent = |password: &str, to: &str| {
        let error = send(&server.options(password, to), &[message("CVE-1")]).unwrap_err();
        assert!(!error.to_string().contains(password), "{error}");
        error
    };
    assert!(matches!(sent("wrong secret", "team@example.org"), SendError::Refused { .. }));
    let nobody = sent("correct horse", "nobody@example.org");
    assert!(matches!(&nobody, SendError::Refused { cause } if cause.contains("no such user")), "{nobody}");
    assert!(matches!(sent("correct horse", "later@example.org"), SendError::Passing { .. }));
    let stranger = MailOptions { extra_certificates: None, ..server.options("correct horse", "team@example.org") };
    let error = send(&stranger, &[message("CVE-1")]).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    let closed = MailOptions { port: Some(1), ..server.options("correct horse", "team@example.org") };
    assert!(matches!(send(&closed, &[message("CVE-1")]), Err(SendError::Passing { .. })));
}

#[test]
fn a_password_never_goes_without_encryption() {
    let options = |server: &str, user| MailOptions {
        server: server.to_owned(),
        port: None,
        encryption: Encryption::None,
        extra_certificates: None,
        user,
        from: "aux@example.org".to_owned(),
        to: vec!["team@example.org".to_owned()],
    };
    let user = Some(("aux".to_owned(), Secret::new("p")));
    for wrong in [options("localhost", user), options("mail.example.org", None)] {
        assert!(matches!(Mail::new("mail.team", &wrong), Err(MailError::Insecure { .. })));
    }
    assert!(Mail::new("mail.team", &options("127.0.0.1", None)).is_ok());
}
