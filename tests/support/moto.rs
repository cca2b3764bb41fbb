//! A real S3 server for one test: moto in server mode, in memory, with an empty bucket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Lets anybody in; the secret must stand in no log.
pub(crate) const CREDENTIALS: &[u8] = b"[default]\naws_access_key_id = A\naws_secret_access_key = hidden\n";

/// The server, with the bucket `bucket`. It ends with the test.
pub(crate) struct Moto {
    child: Child,
    pub(crate) address: String,
}

impl Moto {
    /// `None` where there is none; the test has said so.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a real peer; a test that skips must say so")]
    pub(crate) fn new() -> Option<Self> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/objects/bin/python");
        if !python.exists() {
            assert!(!crate::corpora::in_ci(), "there is no S3 server");
            eprintln!("skipped: no S3 server; `scripts/object-peers.sh` would bring it");
            return None;
        }
        let mut command = Command::new(python);
        command.args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]).env_clear().stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "moto ended");
            if let Some((_, address)) = line.trim().split_once("Running on http://") {
                break address.to_owned();
            }
        };
        // It goes on saying what it was asked.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let store = Self { child, address };
        let made = store.ask("PUT /bucket");
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        Some(store)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All keys of the bucket, in order; there may be a thousand.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = self.ask("GET /bucket?list-type=2");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    /// A request without a body, as anybody may send it; the answer with its head.
    pub(crate) fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let key = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request";
        let request = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nAuthorization: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
