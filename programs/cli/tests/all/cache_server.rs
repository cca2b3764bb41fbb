//! A real cache server beside a world, and a store of a real Nix with a small closure in it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::corpora::in_ci;
use crate::nginx::Nginx;
use crate::world::{Said, World, skipped, write};

/// Two texts that Nix keeps by their content, so that their paths are the same everywhere: one refers to the other.
const CLOSURE: &str = r#"builtins.toFile "application-3.4" "needs ${builtins.toFile "library-1.2" "a library"}""#;

pub(crate) struct CacheServer {
    child: Child,
    pub(crate) url: String,
    pub(crate) public_key: String,
    /// The closure's root.
    pub(crate) path: String,
}

impl CacheServer {
    /// A server with its data in the world's folder `data`, and a store below `system`; the administrator's token is the
    /// file `token`. `None` where something of it is not on this machine.
    pub(crate) fn start(world: &World) -> Option<Self> {
        Self::start_with(world, &[])
    }

    /// The same with some arguments more.
    #[expect(clippy::disallowed_methods, reason = "the server is a process of its own")]
    pub(crate) fn start_with(world: &World, arguments: &[&str]) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_aux")).with_file_name("aux-server");
        if !program.exists() {
            assert!(!in_ci(), "aux-server is not built");
            skipped("no aux-server beside aux; `cargo build -p aux-server` would make it");
            return None;
        }
        let path = build(world)?;
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--json", "--data"]).arg(world.path("data"));
        command.args(arguments).current_dir(world.path("")).env_clear();
        let log = fs::File::create(world.path("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let serving: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| serving[key].as_str().unwrap().to_owned();
        fs::copy(text("admin_token_file"), world.path("token")).unwrap();
        Some(Self { child, url: format!("http://{}", text("listen")), public_key: text("public_key"), path })
    }

    /// A command of `aux cache` as the administrator, as a person sees it.
    pub(crate) fn run(&self, world: &World, arguments: &str) -> Said {
        world.run(&format!("cache {arguments} --server {} --token-file token", self.url))
    }

    /// The same, with everything that differs from run to run written as what it is.
    pub(crate) fn shown(&self, said: &Said) -> String {
        let shown = said.shown().replace(&self.url, "http://[SERVER]");
        let mut text = String::new();
        for line in shown.lines() {
            text.push_str(&pinned(line));
            text.push('\n');
        }
        text
    }

    /// Asks for something as Nix does, and waits for the answer.
    pub(crate) fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What a real Nix says that copies the closure from a cache into a store below `root`, and wants its signatures.
    #[expect(clippy::disallowed_methods, reason = "a real nix is the other side")]
    pub(crate) fn substitute(&self, world: &World, cache: &str, root: &str) -> Said {
        let store = format!("local?root={}", world.path(root).display());
        let mut command = Command::new("nix");
        command.args(["--extra-experimental-features", "nix-command", "copy", "--to", &store]);
        command.args(["--from", &format!("{}/{cache}", self.url), "--option", "trusted-public-keys"]);
        nix_said(world, command.args([&self.public_key, &self.path]))
    }
}

impl Drop for CacheServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A closure in the store below `system`, and its root.
#[expect(clippy::disallowed_methods, reason = "a real nix makes the store")]
fn build(world: &World) -> Option<String> {
    let nix = Command::new("nix-instantiate").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if nix.is_err() {
        assert!(!in_ci(), "nix-instantiate is not installed");
        skipped("no nix-instantiate; `apt-get install nix-bin` would bring it");
        return None;
    }
    let store = format!("local?root={}", world.path("system").display());
    let said = nix_said(
        world,
        Command::new("nix-instantiate").args(["--store", &store, "--eval", "--read-write-mode", "--expr", CLOSURE]),
    );
    assert_eq!(said.code, Some(0), "{}", said.shown());
    Some(said.stdout.trim().trim_matches('"').to_owned())
}

fn nix_said(world: &World, command: &mut Command) -> Said {
    write(&world.outside("nix/nix.conf"), b"build-users-group =\nsubstituters =\nnetrc-file = /nonexistent\n");
    command.env("HOME", world.outside("home")).env("NIX_CONF_DIR", world.outside("nix")).env_remove("NIX_REMOTE");
    command.env("NIX_SSL_CERT_FILE", Nginx::tls().join("authority.pem"));
    world.finish(command.stdin(Stdio::null()))
}

/// Without moments, requests' numbers and tokens.
fn pinned(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let date = word.len() == 10 && word.bytes().filter(|byte| *byte == b'-').count() == 2;
        let time = word.len() == 5 && word.as_bytes()[2] == b':' && word.bytes().next().unwrap().is_ascii_digit();
        match word {
            _ if date => "[DATE]",
            _ if time => "[TIME]",
            _ if word.len() > 20 && word.starts_with("\"20") && word.ends_with("Z\",") => "\"[MOMENT]\",",
            _ if word.starts_with("aux_") => "[TOKEN]",
            _ if word.contains('-') && word.ends_with(')') && line.contains("(request") => "[REQUEST])",
            _ => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
