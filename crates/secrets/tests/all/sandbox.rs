//! The sandbox, tried: in a process of its own, each thing that is refused is attempted before and after.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use aux_secrets::sandbox::{self, Closed};
use rustix::process::{Pid, Resource, Rlimit};

use crate::corpora::in_ci;

const INSIDE: &str = "AUX_TEST_SANDBOX";

/// What a process may try: whether it succeeds.
type Attempts = Vec<(&'static str, bool)>;

fn read(path: &Path) -> bool {
    fs::read(path).is_ok()
}

/// What serving never needs.
#[expect(clippy::disallowed_methods, reason = "starting a program is what is tried")]
fn forbidden(outside: &Path, inside: &Path) -> Attempts {
    let socket = |family| rustix::net::socket(family, rustix::net::SocketType::STREAM, None).is_ok();
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    let write = |path: &Path| fs::OpenOptions::new().append(true).open(path).is_ok();
    vec![
        ("reads a file elsewhere", read(&outside.join("file"))),
        ("lists a folder elsewhere", fs::read_dir(outside).is_ok()),
        ("follows a link elsewhere", read(&inside.join("link"))),
        ("reads its own memory as a file", read(Path::new("/proc/self/environ"))),
        ("writes a file elsewhere", write(&outside.join("file"))),
        ("writes a file of its folder", write(&inside.join("file"))),
        ("makes a file in its folder", fs::File::create(inside.join("new")).is_ok()),
        ("makes a folder in its folder", fs::create_dir(inside.join("folder")).is_ok()),
        ("renames a file of its folder", fs::rename(inside.join("file"), inside.join("file")).is_ok()),
        ("removes a file of its folder", fs::remove_file(inside.join("one")).is_ok()),
        ("starts a program", std::process::Command::new("/bin/true").status().is_ok()),
        ("opens a TCP socket", socket(rustix::net::AddressFamily::INET)),
        ("opens another socket", socket(rustix::net::AddressFamily::UNIX)),
        ("signals another process", rustix::process::test_kill_process(Pid::INIT).is_ok()),
        ("sets a limit", rustix::process::setrlimit(Resource::Core, no_core).is_ok()),
        (
            "is dumpable again",
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable).is_ok(),
        ),
    ]
}

/// What it does all day.
fn needed(inside: &Path, listener: &UnixListener) -> Attempts {
    let served = || {
        let (mut stream, _) = listener.accept().ok()?;
        rustix::net::sockopt::socket_peercred(&stream).ok()?;
        stream.peer_addr().ok()?;
        stream.set_write_timeout(Some(std::time::Duration::from_secs(1))).ok()?;
        stream.write_all(b"value").ok()
    };
    vec![
        ("reads a file of its folder", read(&inside.join("file"))),
        ("lists its folder", fs::read_dir(inside).is_ok_and(|entries| entries.count() > 0)),
        ("looks at a file", fs::metadata(inside.join("file")).is_ok()),
        ("takes a page for a key", aux_secrets::memory::KeptBytes::copy(b"key").reveal() == b"key"),
        ("takes much memory", vec![1_u8; 64 << 20].iter().all(|byte| *byte == 1)),
        ("answers a peer", served().is_some()),
    ]
}

/// Everything once outside the sandbox, so that a refusal is the sandbox's, and once inside.
fn try_everything(folder: &Path) {
    let (inside, outside) = (folder.join("inside"), folder.join("outside"));
    let listener = UnixListener::bind(folder.join("socket")).unwrap();
    let _peers = [(); 2].map(|()| UnixStream::connect(folder.join("socket")).unwrap());
    for (what, is_possible) in forbidden(&outside, &inside).into_iter().chain(needed(&inside, &listener)) {
        assert!(is_possible, "{what}: not even without a sandbox");
    }
    drop(fs::remove_dir(inside.join("folder")));
    aux_io::file::replace(inside.join("one"), b"one").unwrap();
    let sandbox = sandbox::enter(&[&inside], None);
    if let Closed::No { why } = &sandbox.files {
        assert!(!in_ci(), "{why}");
        return skipped(why);
    }
    for (what, is_possible) in needed(&inside, &listener) {
        assert!(is_possible, "{what}: not possible in the sandbox");
    }
    let possible: Vec<_> = forbidden(&outside, &inside).into_iter().filter(|(_, is_possible)| *is_possible).collect();
    assert_eq!((possible, sandbox.calls), (Vec::new(), Closed::Yes));
}

#[expect(clippy::print_stderr, reason = "a skip must be seen")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the sandbox is for good, so a process of its own enters it")]
fn whoever_is_in_the_sandbox_serves_and_can_do_nothing_else() {
    if let Ok(folder) = std::env::var(INSIDE) {
        return try_everything(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["inside", "outside"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        aux_io::file::replace(folder.path().join(name).join("file"), name.as_bytes()).unwrap();
        aux_io::file::replace(folder.path().join(name).join("one"), name.as_bytes()).unwrap();
    }
    std::os::unix::fs::symlink(folder.path().join("outside/file"), folder.path().join("inside/link")).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::whoever_is_in_the_sandbox_serves_and_can_do_nothing_else", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(INSIDE, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
