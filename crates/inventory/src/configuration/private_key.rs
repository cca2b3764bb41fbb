//! Whether a file holds a private key as it is, told by how it begins.

/// What kind of private key stands open in the bytes; `None`: none was seen, or it is encrypted.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if line.starts_with("AGE-SECRET-KEY-1") && line.len() > 50 {
            return Some("an age identity");
        }
    }
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, body) = rest.split_once("-----")?;
    let is_first = text.find("-----BEGIN ").is_some_and(|at| at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n'));
    // A text about keys names the line; a key has a body of base64 below it.
    if !is_first || !has_body(body) {
        return None;
    }
    match label {
        "OPENSSH PRIVATE KEY" => is_open_ssh(body).then_some("an OpenSSH private key"),
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" | "ED25519 PRIVATE KEY" => {
            (!body.contains("ENCRYPTED")).then_some("a PEM private key")
        }
        "PGP PRIVATE KEY BLOCK" => Some("an OpenPGP private key"),
        _ => None,
    }
}

fn has_body(body: &str) -> bool {
    let is_base64 = |line: &str| {
        let line = line.trim();
        line.len() >= 16 && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    body.lines().any(is_base64)
}

/// The header names the cipher in clear (OpenSSH, PROTOCOL.key): magic, then the length 4 and `none`. In base64:
const OPEN: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

fn is_open_ssh(body: &str) -> bool {
    body.trim_start().starts_with(OPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_encrypted_ones_and_from_texts_about_them() {
        let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let body = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAA";
        let seen = |text: String| kind(text.as_bytes());
        assert_eq!(seen(pem("PRIVATE KEY", body)), Some("a PEM private key"));
        assert_eq!(seen(format!("# host\n{}", pem("RSA PRIVATE KEY", body))), Some("a PEM private key"));
        assert_eq!(
            seen(pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE")),
            Some("an OpenSSH private key")
        );
        assert_eq!(seen(format!("AGE-SECRET-KEY-1{}", "Q".repeat(58))), Some("an age identity"));
        assert_eq!(seen(pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI")), None, "a passphrase");
        assert_eq!(seen(pem("ENCRYPTED PRIVATE KEY", body)), None);
        assert_eq!(seen(pem("RSA PRIVATE KEY", &format!("Proc-Type: 4,ENCRYPTED\n{body}"))), None);
        assert_eq!(seen(pem("CERTIFICATE", body)), None);
        assert_eq!(seen("begins with `-----BEGIN PRIVATE KEY-----` and a body".to_owned()), None);
        assert_eq!(seen(pem("PRIVATE KEY", "...")), None);
    }
}
