//! A real `PostgreSQL` for one test: a cluster in a folder of its own, heard on a socket there and nowhere else.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where Debian puts the server's programs, one folder a version; elsewhere they are in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this user comes with Debian's package.
const USER: &str = "postgres";

/// A cluster. It ends with the test.
pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    child: Option<Child>,
    databases: Cell<u32>,
    /// Heard on the network, where it is; 0 where it is not.
    port: u16,
}

impl Postgres {
    /// `None` where there is no `PostgreSQL`; the test has said so.
    #[expect(clippy::print_stderr, reason = "a test that skips must say so")]
    pub(crate) fn new() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(!crate::corpora::in_ci(), "PostgreSQL is not installed");
            eprintln!("skipped: no PostgreSQL; `apt-get install postgresql` would bring it");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("aux-pg").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let mut cluster = Self { folder, programs, child: None, databases: Cell::new(0), port: 0 };
        let data = cluster.data();
        let made = cluster
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=aux", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.start();
        Some(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it, and returns when it answers.
    pub(crate) fn start(&mut self) {
        let (data, socket) = (self.data(), self.folder.path().to_path_buf());
        let mut command = self.command("postgres");
        command.arg("-D").arg(data).arg("-k").arg(socket);
        let heard = if self.port == 0 { "listen_addresses=" } else { "listen_addresses=127.0.0.1" };
        for setting in [heard, "fsync=off", "unix_socket_permissions=0777", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("ready to accept connections") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "postgres ended: {said}");
        }
        // It must not stand still because nobody reads what it says.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        self.child = Some(child);
    }

    /// Has it heard on this machine's network too, through TLS alone, as `localhost` and 127.0.0.1; on which port.
    pub(crate) fn speak_tls(&mut self) -> u16 {
        use std::os::unix::fs::MetadataExt;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/support/tls");
        let owner = std::fs::metadata(self.data()).unwrap();
        for name in ["server.pem", "server.key"] {
            let target = self.data().join(name);
            aux_io::file::replace(&target, &std::fs::read(tls.join(name)).unwrap()).unwrap();
            std::os::unix::fs::chown(&target, Some(owner.uid()), Some(owner.gid())).unwrap();
            std::fs::set_permissions(&target, PermissionsExt::from_mode(0o600)).unwrap();
        }
        for (name, value) in [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port.to_string()),
            ("ssl", "on"),
            ("ssl_cert_file", "server.pem"),
            ("ssl_key_file", "server.key"),
        ] {
            self.sql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        let rules = self.data().join("pg_hba.conf");
        aux_io::file::replace(&rules, b"local all all trust\nhostssl all all 127.0.0.1/32 trust\n").unwrap();
        std::fs::set_permissions(&rules, PermissionsExt::from_mode(0o644)).unwrap();
        self.stop();
        self.port = port;
        self.start();
        port
    }

    /// Ends it at once, with all its connections, as a crash would.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let data = self.data();
        let mut command = self.command("pg_ctl");
        let stopped = command.args(["stop", "-m", "immediate", "-D"]).arg(data).output().unwrap();
        assert!(stopped.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&stopped.stderr));
        child.wait().unwrap();
    }

    /// A new, empty database; its address.
    pub(crate) fn database(&self) -> String {
        self.databases.set(self.databases.get() + 1);
        let name = format!("cache{}", self.databases.get());
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.address(&name)
    }

    pub(crate) fn address(&self, name: &str) -> String {
        format!("postgres:///{name}?host={}&user=aux", self.folder.path().display())
    }

    /// Runs statements as a person would; what is answered.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql).output().unwrap();
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Lets nobody in any more without this password.
    pub(crate) fn want_password(&self, password: &str) {
        self.sql("postgres", &format!("ALTER ROLE aux PASSWORD '{password}'"));
        let rules = self.data().join("pg_hba.conf");
        aux_io::file::replace(&rules, b"local all all scram-sha-256\n").unwrap();
        std::fs::set_permissions(&rules, PermissionsExt::from_mode(0o644)).unwrap();
        self.sql("postgres", "SELECT pg_reload_conf()");
        // It reads them when it gets to it.
        while self.psql("postgres", "SELECT 1").output().unwrap().status.success() {}
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = self.command("psql");
        command.args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-U", "aux", "-d", database, "-c", sql]);
        command.arg("-h").arg(self.folder.path());
        if self.port != 0 {
            command.arg("-p").arg(self.port.to_string());
        }
        command
    }

    /// One of its programs, as a user that may run them, and ended with the test's process.
    #[expect(clippy::disallowed_methods, reason = "a real peer, as an administrator starts it")]
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if is_root {
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
        }
        command.arg("--").arg(program).current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        } else if let Some(mut child) = self.child.take() {
            // A kill would leave its children; this signal makes it end at once.
            drop(self.command("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.data()).output());
            drop(child.wait());
        }
    }
}

/// The folder with the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin"))).filter(|(_, folder)| folder.join("initdb").is_file())
        })
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, folder)| folder);
    newest.or_else(|| {
        let folders = ["/usr/local/bin", "/usr/bin", "/run/current-system/sw/bin"];
        folders.iter().map(Path::new).find(|folder| folder.join("initdb").is_file()).map(Path::to_path_buf)
    })
}
