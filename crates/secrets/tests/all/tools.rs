//! The values of the vectors, shown to the programs they are for.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::corpora::in_ci;
use crate::vectors;

/// A program of this machine; without it the test says so and passes, except in CI.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "a skip must be seen")]
pub(crate) fn peer(program: &str, package: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let is_there = path.split(':').any(|folder| Path::new(folder).join(program).is_file());
    if !is_there {
        assert!(!in_ci(), "{program} is missing; scripts/peers.sh installs it");
        eprintln!("skipped: {program} is not installed; apt-get install {package}");
    }
    is_there
}

/// What a program prints, and whether it is content.
#[expect(clippy::disallowed_methods, reason = "the real programs are what is asked here")]
pub(crate) fn asked(program: &str, arguments: &[&str], input: &[u8]) -> (bool, String) {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that reads nothing has closed its input.
    child.stdin.take().unwrap().write_all(input).ok();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

fn case(name: &str) -> Value {
    let document = vectors::document();
    document["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone()
}

fn text<'c>(case: &'c Value, what: &str) -> &'c str {
    case[what].as_str().unwrap()
}

fn file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    aux_io::file::replace(&path, content.as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn ssh_keygen_reads_the_key_and_names_the_same_public_half() {
    if !peer("ssh-keygen", "openssh-client") {
        return;
    }
    let (folder, case) = (tempfile::tempdir().unwrap(), case("ssh-host"));
    let key = file(folder.path(), "key", text(&case, "value"));
    let (is_content, said) = asked("ssh-keygen", &["-y", "-f", key.to_str().unwrap()], b"");
    assert!(is_content, "{said}");
    assert_eq!(said.trim(), text(&case, "public"));
}

#[test]
fn age_keygen_and_wg_name_the_same_public_halves() {
    let case = case("scope");
    if peer("age-keygen", "age") {
        let (is_content, said) = asked("age-keygen", &["-y"], text(&case, "value").as_bytes());
        assert!(is_content && said.trim() == text(&case, "public"), "{said}");
    }
    let case = self::case("tunnel");
    if peer("wg", "wireguard-tools") {
        let (is_content, said) = asked("wg", &["pubkey"], text(&case, "value").as_bytes());
        assert!(is_content && said.trim() == text(&case, "public"), "{said}");
    }
}

#[test]
fn openssl_verifies_certificates_and_reads_their_keys() {
    if !peer("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for algorithm in ["p256", "ed25519"] {
        let (ca, leaf) = (case(&format!("ca-{algorithm}")), case(&format!("tls-{algorithm}")));
        let authority = file(folder.path(), "ca.pem", text(&ca, "public"));
        let certificate = file(folder.path(), "leaf.pem", text(&leaf, "public"));
        let (authority, certificate) = (authority.to_str().unwrap(), certificate.to_str().unwrap());
        let mut verify = vec!["verify", "-x509_strict", "-check_ss_sig", "-CAfile", authority, "-attime", "1798761600"];
        verify.extend(["-purpose", "sslserver", "-verify_hostname", "web1.example.org", certificate]);
        let (is_content, said) = asked("openssl", &verify, b"");
        assert!(is_content, "{said}");
        verify[9] = "other.example.com";
        assert!(!asked("openssl", &verify, b"").0);
        let (_, of_key) = asked("openssl", &["pkey", "-pubout"], text(&leaf, "value").as_bytes());
        let (_, of_certificate) = asked("openssl", &["x509", "-pubkey", "-noout", "-in", certificate], b"");
        assert_eq!(of_key, of_certificate);
    }
    let key = case("token-signing");
    let (_, public) = asked("openssl", &["pkey", "-pubout"], text(&key, "value").as_bytes());
    assert_eq!(public, text(&key, "public"));
}

#[test]
fn mkpasswd_and_htpasswd_agree_with_the_hashes() {
    let password = |case: &Value| case["others"]["login"].as_str().unwrap().to_owned();
    if peer("mkpasswd", "whois") {
        for name in ["login-sha512", "login-sha512-more", "login-yescrypt", "login-bcrypt"] {
            let case = case(name);
            let hash = text(&case, "value");
            let (is_content, said) =
                asked("mkpasswd", &["--stdin", "-S", hash, "-m", method(name)], password(&case).as_bytes());
            assert!(is_content && said.trim() == hash, "{name}: {said}");
        }
    }
    if peer("htpasswd", "apache2-utils") {
        let (folder, case) = (tempfile::tempdir().unwrap(), case("login-htpasswd"));
        let lines = file(folder.path(), "htpasswd", text(&case, "value"));
        let lines = lines.to_str().unwrap();
        assert!(asked("htpasswd", &["-vi", lines, "admin"], password(&case).as_bytes()).0);
        assert!(!asked("htpasswd", &["-vi", lines, "admin"], b"another").0);
    }
}

fn method(name: &str) -> &'static str {
    match name {
        "login-yescrypt" => "yescrypt",
        "login-bcrypt" => "bcrypt",
        _ => "sha512crypt",
    }
}

/// The second implementation, in Python, which `scripts/secrets-peers.sh` brings its library for.
#[test]
#[expect(clippy::print_stderr, reason = "a skip must be seen")]
fn a_second_implementation_derives_the_same() {
    let venv = vectors::folder().join("../../../target/peers/secrets/bin/python");
    let python = if venv.exists() { venv.to_str().unwrap().to_owned() } else { "python3".to_owned() };
    if !asked(&python, &["-c", "import cryptography.hazmat.primitives.kdf.argon2"], b"").0 {
        assert!(!in_ci(), "python's cryptography is missing; scripts/peers.sh installs it");
        eprintln!("skipped: no python with cryptography 45 or newer; scripts/secrets-peers.sh installs it");
        return;
    }
    let program = vectors::folder().join("derive.py");
    let (is_content, said) = asked(&python, &[program.to_str().unwrap()], b"");
    assert!(is_content && said.contains("cases, 0 differ"), "{said}");
    // It is the vectors that decide: one of another fleet is noticed.
    let folder = tempfile::tempdir().unwrap();
    let changed = fs::read_to_string(vectors::folder().join("vectors.json")).unwrap().replace("00112233", "00112234");
    let changed = file(folder.path(), "vectors.json", &changed);
    assert!(!asked(&python, &[program.to_str().unwrap(), changed.to_str().unwrap()], b"").0);
}
