//! A TPM in software for tests, `swtpm`, and the tools of others beside it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::tang_server::{command, missing, output};

/// A TPM with a state of its own, until it is dropped.
pub(crate) struct Swtpm {
    child: Child,
    address: SocketAddr,
    _state: tempfile::TempDir,
}

/// Whether swtpm and the tools are here. In CI their absence is a failure.
pub(crate) fn swtpm_is_here() -> bool {
    let is_here = ["/usr/bin/swtpm", "/usr/bin/tpm2_createpolicy"].iter().all(|program| Path::new(program).exists());
    missing("swtpm and tpm2-tools", "swtpm swtpm-tools tpm2-tools", is_here)
}

impl Swtpm {
    pub(crate) fn start() -> Self {
        // Two ports in a row that were free just now may be taken since: then swtpm ends at once, and others are tried.
        for _ in 0..32 {
            if let Some(started) = Self::try_start() {
                return started;
            }
        }
        panic!("swtpm does not start");
    }

    fn try_start() -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let control = TcpListener::bind((address.ip(), address.port().checked_add(1)?)).ok()?;
        drop((first, control));
        let mut child = command("/usr/bin/swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"])
            .arg(format!("dir={}", state.path().display()))
            .arg("--server")
            .arg(format!("type=tcp,port={},bindaddr=127.0.0.1", address.port()))
            .arg("--ctrl")
            .arg(format!("type=tcp,port={},bindaddr=127.0.0.1", address.port() + 1))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It listens once it is ready; there is nothing to wait for but the port itself.
        while TcpStream::connect(address).is_err() {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            thread::yield_now();
        }
        Some(Self { child, address, _state: state })
    }

    pub(crate) fn address(&self) -> String {
        format!("swtpm:{}", self.address)
    }

    /// What the other tools find this TPM by.
    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.address.port())
    }

    /// One of tpm2-tools on this TPM, in a folder.
    pub(crate) fn tool(&self, folder: &Path, line: &str) -> Vec<u8> {
        let mut words = line.split_whitespace();
        let mut tool = command(&format!("/usr/bin/{}", words.next().unwrap()));
        output(self.environment(tool.args(words).current_dir(folder)), b"")
    }

    /// Sets a command up to find this TPM.
    pub(crate) fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("TPM2TOOLS_TCTI", self.tcti())
    }

    /// Objects and sessions that are loaded: none, when everybody cleans up.
    pub(crate) fn left_behind(&self) -> String {
        let folder = std::env::temp_dir();
        let left = ["handles-transient", "handles-loaded-session"]
            .map(|what| String::from_utf8(self.tool(&folder, &format!("tpm2_getcap {what}"))).unwrap());
        left.concat()
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
