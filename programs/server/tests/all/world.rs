//! A server with a data folder of its own, and stores of a real Nix beside it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::corpora::in_ci;
use crate::http::{Answer, request};

pub(crate) struct World {
    folder: Arc<tempfile::TempDir>,
    store: PathBuf,
    /// The authorities it believes of servers that speak TLS; those of the machine where nothing is said.
    authorities: Option<PathBuf>,
    child: Option<Child>,
    pub(crate) listen: String,
    pub(crate) public_key: String,
    pub(crate) admin: String,
}

impl World {
    /// A server for the stores below its folder.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same, started with some arguments more.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut world = Self::prepared();
        world.start(arguments);
        world
    }

    /// Another server, for the same stores.
    pub(crate) fn beside(other: &Self) -> Self {
        let mut world = Self::below(Arc::new(tempfile::tempdir().unwrap()));
        world.store = other.store.clone();
        world.start(&[]);
        world
    }

    /// Another that believes these authorities of servers that speak TLS.
    pub(crate) fn believing(other: &Self, authorities: PathBuf) -> Self {
        let mut world = Self::below(Arc::new(tempfile::tempdir().unwrap()));
        (world.store, world.authorities) = (other.store.clone(), Some(authorities));
        world.start(&[]);
        world
    }

    /// Another server with the same data folder.
    pub(crate) fn sharing(&self, arguments: &[&str]) -> Self {
        let mut world = Self::below(Arc::clone(&self.folder));
        world.start(arguments);
        world
    }

    /// A server of the same cache with a data folder of its own, as on another machine.
    pub(crate) fn elsewhere(other: &Self, arguments: &[&str]) -> Self {
        let mut world = Self::below(Arc::new(tempfile::tempdir().unwrap()));
        world.store = other.store.clone();
        fs::create_dir(world.path("data")).unwrap();
        for name in ["signing-key", "admin-token"] {
            fs::copy(other.path("data").join(name), world.path("data").join(name)).unwrap();
        }
        world.start(arguments);
        world
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// A folder for a server that was not started yet.
    pub(crate) fn prepared() -> Self {
        Self::below(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// Starts a server that must refuse to serve; what it says.
    #[expect(clippy::disallowed_methods, reason = "the server is tested as it runs, as a process")]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aux-server"));
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(self.path("data")).args(arguments).env_clear();
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    fn below(folder: Arc<tempfile::TempDir>) -> Self {
        let (listen, public_key, admin) = Default::default();
        let store = folder.path().join("store");
        Self { folder, store, authorities: None, child: None, listen, public_key, admin }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the server, and returns when it is ready. It is killed with the world.
    #[expect(clippy::disallowed_methods, reason = "the server is tested as it runs, as a process")]
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_aux-server")), arguments);
    }

    /// The same with a data folder on a disk of its own, which has room for so many bytes; it is gone with the server.
    #[expect(clippy::disallowed_methods, reason = "the server is tested as it runs, as a process")]
    pub(crate) fn start_on_small_disk(&mut self, bytes: u64) {
        fs::create_dir(self.path("data")).unwrap();
        let mount = format!("mount -t tmpfs -o size={bytes} none \"$0\" && exec \"$@\"");
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["--map-root-user", "--mount", "/bin/sh", "-c", &mount]).arg(self.path("data"));
        command.arg(env!("CARGO_BIN_EXE_aux-server"));
        self.start_by(command, &[]);
    }

    /// A file as the server sees it.
    pub(crate) fn seen(&self, file: &Path) -> PathBuf {
        let process = self.child.as_ref().unwrap().id();
        Path::new("/proc").join(process.to_string()).join("root").join(file.strip_prefix("/").unwrap())
    }

    /// Starts the server by a command that becomes it.
    fn start_by(&mut self, mut command: Command, arguments: &[&str]) {
        command.args(["--listen", "127.0.0.1:0", "--json", "--log", "debug", "--data"]).arg(self.path("data"));
        command.arg("--store-dir").arg(&self.store).args(arguments).env_clear();
        command.envs(self.authorities.iter().map(|file| ("SSL_CERT_FILE", file)));
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(serving) = serde_json::from_str::<Value>(&line) else {
            panic!("{line}{}", fs::read_to_string(self.path("log")).unwrap())
        };
        assert_eq!(serving["schema"], "aux.serving/1");
        let text = |key: &str| serving[key].as_str().unwrap().to_owned();
        (self.listen, self.public_key) = (text("listen"), text("public_key"));
        self.child = Some(child);
        let token = self.seen(Path::new(&text("admin_token_file")));
        self.admin = fs::read_to_string(token).unwrap().trim().to_owned();
    }

    /// The most memory the server ever had, in bytes (`VmHWM` of proc(5)).
    pub(crate) fn peak_bytes(&self) -> u64 {
        let process = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The server's process, for somebody who ends it while others use the world.
    pub(crate) fn take_child(&mut self) -> Child {
        self.child.take().unwrap()
    }

    /// Kills the server where it stands.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A request with a token; with an empty one without.
    pub(crate) fn ask(&self, head: &str, token: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("Authorization", &bearer)] };
        request(&self.listen, head, headers, body)
    }

    /// Asks the interface as administrator; it must succeed.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(&format!("{method} /-/api/1/{path}"), &self.admin, body.to_string().as_bytes());
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// A token with some rights on one cache or view.
    pub(crate) fn token(&self, cache: &str, rights: &[&str]) -> String {
        let made = self.api("POST", "tokens", &json!({ "label": "a test", "cache": cache, "rights": rights }));
        made["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub(crate) fn url(&self, space: &str) -> String {
        format!("http://{}/{space}", self.listen)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin";

/// A package and what it needs, none of which anybody fetched.
const SYSTEM: &str = r#"
let
  make = name: inputs: derivation {
    inherit name inputs;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "mkdir $out || { echo $inputs > $out; exit 0; }; echo $inputs > $out/inputs" ];
    PATH = "/usr/bin:/bin";
  };
  zlib = make "zlib-1.2.11" [ ];
  openssl = make "openssl-1.1.1g" [ zlib ];
in make "web-server-1.0" [ openssl (builtins.toFile "settings" "a setting") ]
"#;

/// A real Nix with a store below the world's folder, and netrc for the server.
pub(crate) struct Nix<'w> {
    world: &'w World,
}

impl<'w> Nix<'w> {
    /// `None` where there is no Nix; the test has said so.
    #[expect(clippy::print_stderr, reason = "a test that skips must say so")]
    pub(crate) fn new(world: &'w World, token: &str) -> Option<Self> {
        for folder in ["conf", "home"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        let file = |name: &str, text: &str| aux_io::file::replace(world.path(name), text.as_bytes()).unwrap();
        file("conf/netrc", &format!("machine 127.0.0.1 login nix password {token}\n"));
        let settings = "sandbox = false\nbuild-users-group =\nsubstituters =\nexperimental-features = nix-command\n";
        file("conf/nix.conf", &format!("{settings}netrc-file = {}\n", world.path("conf/netrc").display()));
        file("system.nix", SYSTEM);
        let nix = Self { world };
        match nix.command("nix", &["--version"]).output() {
            Ok(_) => Some(nix),
            Err(error) => {
                assert!(!in_ci(), "nix is not installed: {error}");
                eprintln!("skipped: no nix; `apt-get install nix-bin` would bring it");
                None
            }
        }
    }

    /// Builds the package; its store path.
    pub(crate) fn build(&self) -> String {
        let file = self.world.path("system.nix");
        let output = self.run("nix-build", &["--no-out-link", file.to_str().unwrap()]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Everything a path needs, itself included, sorted.
    pub(crate) fn closure(&self, path: &str) -> Vec<String> {
        let output = self.run("nix-store", &["--query", "--requisites", path]);
        let mut paths: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        paths.sort();
        paths
    }

    /// Runs one of Nix's programs; it must succeed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(program, arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs one of Nix's programs, which must fail; what it says.
    pub(crate) fn fail(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments).output().unwrap();
        assert!(!output.status.success(), "{program} {arguments:?} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a real peer, as a user starts it")]
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", PATH).env("HOME", self.world.path("home"));
        for (name, folder) in [
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOCALSTATE_DIR", "state"),
            ("NIX_LOG_DIR", "nix-log"),
            ("NIX_CONF_DIR", "conf"),
        ] {
            command.env(name, self.world.path(folder));
        }
        command.stdin(Stdio::null());
        command
    }

    /// Forgets what it remembers of caches, as another machine would not know it.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.world.path("home")).unwrap();
        fs::create_dir(self.world.path("home")).unwrap();
    }

    /// A second store that substitutes into another folder.
    pub(crate) fn second_store(&self, name: &str) -> String {
        format!("local?root={}", self.world.path(name).display())
    }
}

/// The last part of a store path, and its hash.
pub(crate) fn hash(path: &str) -> String {
    let base = Path::new(path).file_name().unwrap().to_str().unwrap();
    base.split('-').next().unwrap().to_owned()
}
