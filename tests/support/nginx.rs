//! A real nginx, below a folder of the test and on a port of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running nginx. Dropping it ends it.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) port: u16,
}

impl Nginx {
    /// Starts one with what stands in its `http { … }`, which `servers` makes for a port. `None` where there is no nginx; the
    /// test has said so.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a real peer; a test that skips must say so")]
    pub(crate) fn start(folder: &Path, servers: &dyn Fn(u16) -> String) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::create_dir_all(folder).unwrap();
        let at = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name}; "))
            .concat();
        let settings = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/errors; events {{}} http {{ access_log off; \
             {temporary} {} }}",
            servers(port)
        );
        aux_io::file::replace(folder.join("settings"), settings.as_bytes()).unwrap();
        let child = Command::new("nginx").arg("-c").arg(folder.join("settings")).stderr(Stdio::null()).spawn();
        let Ok(mut child) = child else {
            assert!(!crate::corpora::in_ci(), "nginx is not installed");
            eprintln!("skipped: no nginx; `apt-get install nginx-light` would bring it");
            return None;
        };
        // It says nothing when it is ready.
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(folder.join("errors")).unwrap());
            std::thread::yield_now();
        }
        Some(Self { child, port })
    }

    /// Where the certificate, the key and the authority of `localhost` and 127.0.0.1 lie.
    pub(crate) fn tls() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/support/tls")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
