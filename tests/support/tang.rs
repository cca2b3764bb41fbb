//! Real tang servers for tests: `tangd` for each connection, as systemd or socat would start it.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const TANGD: &str = "/usr/libexec/tangd";
const KEYGEN: &str = "/usr/libexec/tangd-keygen";

/// A server with keys of its own on a port of its own, until it is dropped.
pub(crate) struct Tang {
    folder: tempfile::TempDir,
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
}

/// Whether tang and clevis are here. In CI their absence is a failure.
pub(crate) fn tang_is_here() -> bool {
    let is_here = ["/usr/bin/clevis", "/usr/bin/jose", TANGD, KEYGEN].iter().all(|program| Path::new(program).exists());
    missing("tang and clevis", "tang clevis jose", is_here)
}

/// A peer's absence, seen by everybody; in CI it is a failure.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "a skip must be seen, and may not happen in CI")]
pub(crate) fn missing(what: &str, packages: &str, is_here: bool) -> bool {
    if !is_here {
        assert!(std::env::var("CI").is_err(), "{what} must be here: apt-get install {packages}");
        eprintln!("skipped: no {what}; `apt-get install {packages}` would bring it");
    }
    is_here
}

impl Tang {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        output(command(KEYGEN).arg(folder.path()), b"");
        Self::listen(folder, TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn listen(folder: tempfile::TempDir, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (keys, stop) = (folder.path().to_path_buf(), Arc::clone(&is_stopped));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                serve(&keys, stream);
            }
        });
        Self { folder, address, is_stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The thumbprint of the signing key, as `tang-show-keys` shows it.
    pub(crate) fn thumbprint(&self) -> String {
        let keys = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        let is_signing = |path: &PathBuf| {
            let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            !is_hidden && fs::read_to_string(path).unwrap().contains("ES512")
        };
        let key = keys.into_iter().find(is_signing).unwrap();
        let shown = output(command("/usr/bin/jose").args(["jwk", "thp", "-a", "S256", "-i"]).arg(key), b"");
        String::from_utf8(shown).unwrap().trim().to_owned()
    }

    /// Where its keys are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Tang {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then closes its port.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(keys: &Path, stream: TcpStream) {
    let Ok(second) = stream.try_clone() else { return };
    let child = command(TANGD)
        .arg(keys)
        .stdin(Stdio::from(OwnedFd::from(stream)))
        .stdout(Stdio::from(OwnedFd::from(second)))
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = child {
        thread::spawn(move || child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "a real peer runs as it does elsewhere")]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}

/// What a program prints, given something on standard input; it must succeed.
pub(crate) fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that wants no input has closed the pipe already.
    child.stdin.take().unwrap().write_all(input).ok();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
