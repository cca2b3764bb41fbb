//! A state folder, a feed and a configuration of its own for each test, and the agent run in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aux_feed::{BuildRequest, build};
use aux_watch::{Raised, Store};
use serde_json::{Value, json};

/// A folder with everything in it.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

/// What every world watches, unless it says otherwise.
const CONFIG: &str = r#"
feed = "feed.auxdb"
fail_on = "any"

[agent]
machine = false
targets = ["names"]
state = "state"
runtime = "run"
metrics_file = "aux.prom"
max_age_hours = 876000
"#;

impl World {
    /// Watches a list with zlib, openssl and curl, against a feed of so many advisories on each.
    pub(crate) fn new(advisories: usize) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.file("aux.toml", CONFIG);
        world.file("names", "zlib-1.2.11\nopenssl-1.1.1g\ncurl-7.70.0\n");
        world.feed(advisories, "");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        aux_io::file::replace(self.path(name), text.as_bytes()).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Replaces the feed as a sync would: by renaming.
    pub(crate) fn feed(&self, advisories: usize, triage: &str) {
        let feed = feed(self.folder.path(), advisories, triage);
        aux_io::file::replace(self.path("feed.auxdb"), &feed).unwrap();
    }

    /// The agent, in this world and nothing else.
    #[expect(clippy::disallowed_methods, reason = "the agent is tested as it runs, as a process")]
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auxd"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).env_clear();
        command.arg("--config").arg(self.path("aux.toml")).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A round that must come to its end; its report.
    pub(crate) fn round(&self) -> Value {
        let output = self.run("--once --json");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Raised> {
        Store::open(&self.path("state")).unwrap().events_after(0, u32::MAX).unwrap()
    }

    /// Starts the daemon, and returns when it is ready.
    pub(crate) fn daemon(&self, bus: Option<&str>) -> Daemon {
        let mut command = self.command(if bus.is_some() { "" } else { "--no-bus" });
        if let Some(address) = bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.ends_with("ready\n") {
            assert!(log.read_line(&mut said).unwrap() > 0, "the daemon ended: {said}");
        }
        Daemon { child, _log: log, said }
    }
}

/// A running daemon; it is killed with the value.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    /// Held open, so that the daemon can go on writing.
    _log: BufReader<std::process::ChildStderr>,
    /// What it said until it was ready.
    pub(crate) said: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A feed with advisories numbered from 1 on each of zlib, openssl and curl.
fn feed(folder: &Path, advisories: usize, triage: &str) -> Vec<u8> {
    let products = ["zlib:zlib", "openssl:openssl", "haxx:curl"];
    let mut items: Vec<Value> =
        (0..advisories).flat_map(|number| products.map(|product| item(number, product))).collect();
    if items.is_empty() {
        // No feed is empty; this one is about what no test has.
        items.push(item(0, "gnu:hello"));
    }
    let document = json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items });
    let sources = tempfile::tempdir_in(folder).unwrap();
    let (nvd, decisions) = (sources.path().join("nvd.json"), sources.path().join("triage"));
    aux_io::file::replace(&nvd, document.to_string().as_bytes()).unwrap();
    fs::create_dir(&decisions).unwrap();
    aux_io::file::replace(decisions.join("all.toml"), triage.as_bytes()).unwrap();
    let request = BuildRequest {
        nvd: vec![nvd],
        osv: Vec::new(),
        cve5: Vec::new(),
        pkgsrc: Vec::new(),
        kev: Vec::new(),
        triage: Some(decisions),
        pkgsrc_keys: Vec::new(),
        as_of: None,
        threads: 1,
        keeps_prose: false,
    };
    build(&request, &|_, _| {}).unwrap().index
}

/// CVE-2021-1NNNN for zlib, 2NNNN for openssl, 3NNNN for curl.
fn item(number: usize, product: &str) -> Value {
    // A bound of a generation far ahead would be another program of that name.
    let (series, end) = match product {
        "zlib:zlib" => (10_000, "1.99"),
        "openssl:openssl" => (20_000, "1.99"),
        _ => (30_000, "7.99"),
    };
    let id = format!("CVE-2021-{}", series + number + 1);
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
    json!({ "cve": {
        "id": id, "published": "2021-01-01T00:00:00.000", "lastModified": "2021-02-01T00:00:00.000",
        "vulnStatus": "Analyzed", "descriptions": [{ "lang": "en", "value": format!("What {id} is about.") }],
        "metrics": { "cvssMetricV31": [{ "type": "Primary", "cvssData": { "version": "3.1", "vectorString": vector } }] },
        "configurations": [{ "nodes": [{ "operator": "OR", "negate": false, "cpeMatch": [
            { "vulnerable": true, "criteria": format!("cpe:2.3:a:{product}:*:*:*:*:*:*:*:*"), "versionEndExcluding": end }] }] }],
        "references": [],
    }})
}

/// The team's word that one advisory is critical.
pub(crate) const CRITICAL: &str = r#"
[[class]]
class = "critical"
ids = ["CVE-2021-10001"]
reason = "anybody reads everything"
author = "the team"
date = 2021-03-01
"#;

/// A fix of the same advisory.
pub(crate) const FIXED: &str = r#"
[[fix]]
package = "nix:zlib"
ids = ["CVE-2021-10001"]
channel = "nixos-20.09"
version = "1.2.12"
revision = "0123456789abcdef0123456789abcdef01234567"
commits = []
reason = "the channel's own commit"
"#;
