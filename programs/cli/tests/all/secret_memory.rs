//! Where a secret is not: in the memory of `aux secret serve` between two requests, its core, arguments, environment and log, and
//! in the repository.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aux_secrets::{Identities, SecretBytes, age_file};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::corpora::in_ci;
use crate::secret_machine::{ADMIN, MACHINE, add, asked, fleet};
use crate::world::{World, good, skipped};

/// Bytes that must not be somewhere, and what they are.
type Canaries = Vec<(String, Vec<u8>)>;

/// Types, and what each of them must be told.
const KINDS: [(&str, &str); 19] = [
    ("envelope", "--scope machine:web1"),
    ("password", ""),
    ("passphrase", ""),
    ("hex", ""),
    ("base64", ""),
    ("uuid", ""),
    ("p256", ""),
    ("ssh-ed25519", ""),
    ("wireguard", ""),
    ("age-x25519", ""),
    ("bcrypt", "--with of=s-password --with cost=4"),
    ("sha512crypt", "--with of=s-password"),
    ("yescrypt", "--with of=s-password"),
    ("argon2id", "--with of=s-password"),
    ("htpasswd", "--with of=s-password --with cost=4 --with user=web"),
    ("tls-leaf", "--with ca=authority --with dns=web.example.org"),
    (
        "gokey-pass",
        "--with realm=example.org --with kind=pass --with length=24 --with master=s-envelope --scope machine:web1",
    ),
    ("gokey-ec256", "--with realm=example.org --with kind=ec256 --with master=s-envelope --scope machine:web1"),
    ("gokey-rsa", "--with realm=example.org --with kind=rsa2048 --with master=s-envelope --scope machine:web1"),
];
const PAGE_BYTES: u64 = 4096;

/// A value in the forms in which a process may have it: each long line of its text, and what its base 64 stands for.
fn forms(what: &str, value: &str) -> Canaries {
    let mut forms: Canaries = Vec::new();
    for line in value.lines().filter(|line| line.len() >= 12 && !line.starts_with("-----")) {
        forms.push((format!("a line of {what}"), line.as_bytes().to_vec()));
    }
    let body: String = value.lines().filter(|line| !line.starts_with("-----")).collect();
    if let Ok(bytes) = STANDARD.decode(&body)
        && bytes.len() >= 16
    {
        forms.extend(primes(&bytes).into_iter().map(|prime| (format!("a prime of {what}"), prime)));
        // The number of a P-256 key stands within its DER (RFC 5958), that of an SSH key before its public half.
        let is_ssh = bytes.starts_with(b"openssh-key-v1\0");
        let at = if is_ssh { memchr::memmem::rfind(&bytes, b"\0\0\0\x40").unwrap() + 4 } else { 36 };
        let number = bytes.get(at..at + 32).unwrap_or(&bytes).to_vec();
        forms.extend([(format!("the bytes of {what}"), bytes), (format!("the number of {what}"), number)]);
    }
    forms
}

/// The primes of a 2048-bit RSA key (RFC 8017, A.1.2), lowest byte first, as whoever computes with them has them.
fn primes(der: &[u8]) -> Vec<Vec<u8>> {
    let mut primes = Vec::new();
    let mut rest = der;
    while let [tag, length, more @ ..] = rest {
        let (length, more) = match (*length, more) {
            (0x81, [length, more @ ..]) => (usize::from(*length), more),
            (0x82, [high, low, more @ ..]) => (usize::from(*high) << 8 | usize::from(*low), more),
            (length, more) => (usize::from(length), more),
        };
        // Sequences and what they are wrapped in are gone into.
        let is_whole = length <= more.len();
        rest = if is_whole && ![0x30, 4].contains(tag) { &more[length..] } else { more };
        if is_whole && *tag == 2 && length == 129 {
            primes.push(more[1..length].iter().rev().copied().collect());
        }
    }
    primes.truncate(2);
    primes
}

/// The number that an identity of age is the text of (BIP 173).
fn number_of(identity: &str) -> Vec<u8> {
    let digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let (_, data) = identity.split_at("AGE-SECRET-KEY-1".len());
    let mut bits = Vec::new();
    for character in data[..data.len() - 6].to_lowercase().chars() {
        let digit = digits.find(character).unwrap();
        bits.extend((0..5).rev().map(|bit| u8::from(digit >> bit & 1 == 1)));
    }
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

/// A key of a delivered file, as it is written and as it is used.
fn delivered(file: &Path, identity: &str, field: &str) -> Canaries {
    let identities = Identities::read(&SecretBytes::from(identity.to_owned())).unwrap();
    let opened = age_file::decrypt(&fs::read(file).unwrap(), &identities).unwrap();
    let opened: Value = serde_json::from_slice(opened.reveal()).unwrap();
    forms(field, opened[field].as_str().unwrap())
}

/// Which of them are in these bytes.
fn found<'c>(canaries: &'c Canaries, bytes: &[u8]) -> Vec<&'c str> {
    let finder = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
    canaries.iter().filter(|(_, needle)| finder(needle)).map(|(what, _)| what.as_str()).collect()
}

/// A process's memory, as root can read it: the pages that it ever touched. Nothing where even looking is refused.
fn image(process: u32) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let pages = File::open(format!("/proc/{process}/pagemap")).ok()?;
    let mut image = Vec::new();
    for line in fs::read_to_string(format!("/proc/{process}/maps")).ok()?.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        if !words.next()?.starts_with('r') || line.ends_with("[vsyscall]") {
            continue;
        }
        let mut entries = vec![0; usize::try_from((end - start) / PAGE_BYTES * 8).unwrap()];
        pages.read_exact_at(&mut entries, start / PAGE_BYTES * 8).ok()?;
        for (address, entry) in (start..end).step_by(4096).zip(entries.chunks_exact(8)) {
            // proc_pid_pagemap(5): a page is in memory or in swap.
            if u64::from_le_bytes(entry.try_into().unwrap()) >> 62 == 0 {
                continue;
            }
            let mut page = [0; 4096];
            let read = memory.read_exact_at(&mut page, address);
            // Pages that the kernel keeps to itself cannot be read by root either.
            assert!(!line.contains("secretmem") || read.is_err(), "{line}");
            image.extend_from_slice(&page);
        }
    }
    Some(image)
}

struct Server {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Server {
    /// With cores allowed, as far as the one who starts it can.
    #[expect(clippy::disallowed_methods, reason = "the shell sets the limit that the server must not need")]
    fn start(world: &World, arguments: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_aux")])
            .args(arguments.split(' '))
            .current_dir(world.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        Self { child, lines: Box::new(lines) }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap()).unwrap()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a process of this test that is killed leaves a core at all.
#[expect(clippy::disallowed_methods, reason = "a process that does not mind leaving a core")]
fn cores_are_written(world: &World) -> bool {
    let command = "ulimit -c unlimited && kill -QUIT $$";
    Command::new("sh").args(["-c", command]).current_dir(world.path("")).status().unwrap().core_dumped()
}

/// A machine with a secret of each kind; they all belong to one unit.
fn machine() -> World {
    let world = fleet();
    good(&world, "secret add authority --type tls-ca --scope admin --repo fleet --identity admin.key");
    for (kind, more) in KINDS {
        let (word, _) = kind.split_once('-').filter(|(word, _)| *word == "gokey").unwrap_or((kind, ""));
        add(&world, &format!("s-{kind}"), &format!("--type {word} --unit app.service {more}"));
        if kind == "envelope" {
            let set = "secret set s-envelope --repo fleet --identity admin.key --file -";
            let said = world.run_with(set, b"canary-of-an-envelope-4711");
            assert_eq!(said.code, Some(0), "{}", said.shown());
        }
    }
    world
}

fn values(world: &World) -> Canaries {
    let show = |(kind, _)| {
        let value = good(world, &format!("secret show s-{kind} -m web1 --repo fleet --identity web1.key --output -"));
        forms(kind, &value)
    };
    KINDS.into_iter().flat_map(show).collect()
}

#[test]
fn a_server_of_secrets_has_none_in_memory_between_requests_and_none_anywhere_else() {
    let world = machine();
    let mut values = values(&world);
    let mut keys = delivered(&world.path("fleet/machines/web1/scope.age"), MACHINE.0, "key");
    keys.extend(delivered(&world.path("fleet/seed.age"), ADMIN.0, "seed"));
    keys.push(("the identity".to_owned(), MACHINE.0.as_bytes().to_vec()));
    keys.push(("the identity's number".to_owned(), number_of(MACHINE.0)));
    let serve = "secret serve --repo fleet --machine web1 --identity web1.key --json --listen run/cred.sock";
    let mut server = Server::start(&world, serve);
    let ready = server.next();
    let Some(before) = image(server.child.id()) else {
        assert!(!in_ci(), "only root can look into the memory of a server of secrets");
        return skipped("only root can look into the memory of a server of secrets");
    };
    // It is really its memory: the manifest is there.
    let manifest: Value = serde_json::from_slice(&fs::read(world.path("fleet/aux-secrets.json")).unwrap()).unwrap();
    let recipient = manifest["machines"]["web1"]["recipients"][0].as_str().unwrap();
    assert_eq!(found(&vec![("it".to_owned(), recipient.as_bytes().to_vec())], &before), ["it"]);
    // A kernel without pages of its own has the keys where root can read them.
    let keys_are_hidden = ready["memory"] == "secret";
    let look = |server: &Server, when: &str, values: &Canaries| {
        let image = image(server.child.id()).unwrap();
        assert_eq!(found(values, &image), Vec::<&str>::new(), "{when}");
        if keys_are_hidden {
            assert_eq!(found(&keys, &image), Vec::<&str>::new(), "{when}");
        }
    };
    look(&server, "before the first request", &values);
    let ask = |server: &mut Server, values: Option<&Canaries>| {
        for (kind, _) in KINDS {
            let value = asked(&world.path("run/cred.sock"), &format!("app.service/s-{kind}"));
            assert!(value.len() >= 12, "{kind}: {value}");
            while server.next()["event"] != "served" {}
            // What comes later may lie over what it left.
            if let Some(values) = values {
                let own = values.iter().filter(|(what, _)| what.ends_with(&format!(" of {kind}"))).cloned().collect();
                look(server, kind, &own);
            }
        }
    };
    ask(&mut server, Some(&values));
    good(&world, "secret rotate s-password --repo fleet --identity admin.key");
    values.extend(self::values(&world));
    ask(&mut server, None);
    look(&server, "after all requests", &values);

    let all: Canaries = values.iter().chain(&keys).cloned().collect();
    for name in ["cmdline", "environ"] {
        assert_eq!(found(&all, &server.file(name)), Vec::<&str>::new(), "{name}");
    }
    let status = String::from_utf8(server.file("status")).unwrap();
    assert!(status.contains("\nThreads:\t1\n") && status.contains("\nSeccomp:\t2\n"), "{status}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&server.child), rustix::process::Signal::QUIT)
        .unwrap();
    let status = server.child.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(3), false));
    if !cores_are_written(&world) {
        skipped("this system writes no cores, so that none was written says little");
    }
    let mut log = Vec::new();
    server.child.stderr.take().unwrap().read_to_end(&mut log).unwrap();
    assert_eq!(found(&all, &log), Vec::<&str>::new(), "{}", String::from_utf8_lossy(&log));
    lies_nowhere(&world.path("fleet"), &all);
}

fn lies_nowhere(folder: &Path, canaries: &Canaries) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lies_nowhere(&path, canaries);
        } else {
            assert_eq!(found(canaries, &fs::read(&path).unwrap()), Vec::<&str>::new(), "{}", path.display());
        }
    }
}
