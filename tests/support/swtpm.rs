//! A TPM in software for tests: `swtpm`.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;

use crate::tang_server::{command, missing};

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

    /// As `--tpm` takes it; behind the last colon is the port that other tools ask for.
    pub(crate) fn address(&self) -> String {
        format!("swtpm:{}", self.address)
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
