//! What the real clevis and tang's own tools do with a server: encrypt and decrypt, retire keys, throw them away.

use std::fs;

use crate::tang_server::{Tang, command, output};

const KEYGEN: &str = "/usr/libexec/tangd-keygen";
const ROTATE: &str = "/usr/libexec/tangd-rotate-keys";

impl Tang {
    /// Retires the keys: they still recover, and are no longer advertised.
    pub(crate) fn rotate(&self) {
        output(command(ROTATE).arg("-d").arg(self.folder()), b"");
    }

    /// Throws all keys away and makes others.
    pub(crate) fn replace_keys(&self) {
        for entry in fs::read_dir(self.folder()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        output(command(KEYGEN).arg(self.folder()), b"");
    }

    /// `clevis encrypt tang`, with this server's own thumbprint.
    pub(crate) fn clevis_encrypt(&self, plain: &[u8]) -> String {
        String::from_utf8(clevis(&["encrypt", "tang", &self.pin()], plain)).unwrap()
    }

    /// The pin of this server in clevis's settings.
    pub(crate) fn pin(&self) -> String {
        format!(r#"{{"url":"{}","thp":"{}"}}"#, self.url(), self.thumbprint())
    }
}

/// Runs clevis with something on standard input.
pub(crate) fn clevis(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    output(command("/usr/bin/clevis").args(arguments), input)
}
