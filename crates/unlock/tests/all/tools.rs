//! The tools of others on a TPM in software: tpm2-tools.

use std::path::Path;

use crate::swtpm::Swtpm;
use crate::tang_server::{command, output};

impl Swtpm {
    /// One of tpm2-tools on this TPM, in a folder.
    pub(crate) fn tool(&self, folder: &Path, line: &str) -> Vec<u8> {
        let address = self.address();
        let (_, port) = address.rsplit_once(':').unwrap();
        let mut words = line.split_whitespace();
        let mut tool = command(&format!("/usr/bin/{}", words.next().unwrap()));
        tool.args(words).current_dir(folder).env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={port}"));
        output(&mut tool, b"")
    }

    /// Objects and sessions that are loaded: none, when everybody cleans up.
    pub(crate) fn left_behind(&self) -> String {
        let folder = std::env::temp_dir();
        let left = ["handles-transient", "handles-loaded-session"]
            .map(|what| String::from_utf8(self.tool(&folder, &format!("tpm2_getcap {what}"))).unwrap());
        left.concat()
    }
}
