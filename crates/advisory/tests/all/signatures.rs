//! Clear-signed lists made by a real `gpg` are believed when they should be, and only then.

use std::path::Path;
use std::process::Command;

use aux_advisory::pkg_vulnerabilities;
use aux_advisory::signature::{SignatureError, Signer};

const LIST: &str = "#FORMAT 1.1.0\n- dash<1\tdenial-of-service\thttp://x/1\nfoo<1.2\teol \t\thttp://x/2\n";

/// Runs `gpg` in its own home; `None` where there is no `gpg`.
#[expect(clippy::disallowed_methods, reason = "the peer is a program, and a test needs no hardened environment")]
fn gpg(home: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--homedir"]);
    let output = command.arg(home).args(arguments).output().ok()?;
    assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// A home of its own with one key; its agent ends with it.
struct Keyring(tempfile::TempDir);

impl Keyring {
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "a test that skips must say so, and CI must not skip"
    )]
    fn with_key(algorithm: &str) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let made = gpg(home.path(), &["--quick-generate-key", "Team <team@example.org>", algorithm, "sign", "never"]);
        if made.is_none() {
            assert!(std::env::var("CI").is_err(), "gpg is missing");
            eprintln!("skipped: no gpg here; `apt-get install -y gnupg` brings it");
        }
        made.map(|_| Self(home))
    }

    fn public_key(&self) -> Vec<u8> {
        gpg(self.0.path(), &["--armor", "--export"]).unwrap()
    }

    fn sign(&self, hash: &str) -> String {
        let plain = self.0.path().join("list");
        std::fs::File::create(&plain)
            .and_then(|mut file| std::io::Write::write_all(&mut file, LIST.as_bytes()))
            .unwrap();
        let plain = plain.display().to_string();
        let signed = gpg(self.0.path(), &["--digest-algo", hash, "--output", "-", "--clearsign", &plain]).unwrap();
        String::from_utf8(signed).unwrap()
    }
}

impl Drop for Keyring {
    #[expect(clippy::disallowed_methods, reason = "the agent that gpg started for this home is told to end")]
    fn drop(&mut self) {
        drop(Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "gpg-agent"]).output());
    }
}

fn verified(signed: &str, key: &[u8]) -> Result<Signer, SignatureError> {
    let list = pkg_vulnerabilities::read(signed.as_bytes(), &mut |_| {}).unwrap();
    list.signature.expect("the list is signed").verify(key)
}

#[test]
fn a_strong_signature_by_the_right_key_is_believed_and_nothing_else() {
    let (Some(team), Some(other)) = (Keyring::with_key("rsa2048"), Keyring::with_key("ed25519")) else { return };
    let signed = team.sign("SHA512");
    let signer = verified(&signed, &team.public_key()).unwrap();
    assert_eq!((signer.user_ids, signer.fingerprint.len()), (vec!["Team <team@example.org>".to_owned()], 40));

    let changed = signed.replace("foo<1.2", "foo<1.3");
    assert_eq!(verified(&changed, &team.public_key()), Err(SignatureError::Invalid));
    assert!(matches!(verified(&signed, &other.public_key()), Err(SignatureError::OtherKey(_))));
    assert!(matches!(verified(&team.sign("SHA1"), &team.public_key()), Err(SignatureError::WeakHash(_))));
    assert!(verified(&other.sign("SHA256"), &other.public_key()).is_ok());

    let both = [other.public_key(), team.public_key()].concat();
    assert!(verified(&signed, &both).is_ok());
    assert!(matches!(verified(&signed, b"no key"), Err(SignatureError::Key(_))));
}
