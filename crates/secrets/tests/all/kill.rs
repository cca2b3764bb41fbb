//! Processes are killed at every step of a write; afterwards the state before or the one after is whole.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use aux_secrets::Repository;
use aux_secrets::acts::{CheckRequest, Rotation, check};
use aux_secrets::repository::Step;
use zeroize::Zeroizing;

use crate::fleet::{ADMIN, begin, filled, identities, label, read, session};

/// Where a child works, what it does, and the step at which it waits to be killed; unset in an ordinary run.
const FOLDER: &str = "AUX_TEST_KILL_FOLDER";
const ACT: &str = "AUX_TEST_KILL_ACT";
const STOP: &str = "AUX_TEST_KILL_STOP";

fn act(folder: &Path, act: &str, reached: &mut dyn FnMut(Step)) {
    let today = jiff::civil::date(2026, 1, 3);
    let seed = || Zeroizing::new([9; 32]);
    match act {
        "init" => begin(folder, reached),
        "rotate" => {
            let mut session = session(folder);
            session.rotate(&Rotation::Secret(label("token")), today, seed()).unwrap();
            session.rotate(&Rotation::Holder("group:web".parse().unwrap()), today, seed()).unwrap();
            session.prepare(false).unwrap().commit(reached).unwrap();
        }
        "rekey" => drop(session(folder).prepare(true).unwrap().commit(reached).unwrap()),
        _ => {
            let mut session = session(folder);
            session.rotate(&Rotation::Epoch, today, seed()).unwrap();
            session.prepare(false).unwrap().commit(reached).unwrap();
        }
    }
}

/// Goes on until the step it is to be killed at, says so, and waits; in an ordinary run it does nothing.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the child is told where to work, and says how far it is"
)]
pub(crate) fn as_child<S: std::fmt::Debug>(act: impl FnOnce(&Path, &str, &mut dyn FnMut(S))) {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let stop: usize = std::env::var(STOP).unwrap().parse().unwrap();
    let mut count = 0;
    act(Path::new(&folder), &std::env::var(ACT).unwrap(), &mut |step| {
        count += 1;
        if count == stop {
            println!("\nstep {step:?}");
            // Nothing ever comes: the parent kills.
            std::io::stdin().read_exact(&mut [0]).ok();
        }
    });
}

/// The other tests run it as the process to be killed.
#[test]
fn child() {
    as_child(act);
}

/// Kills a process at its `stop`th step and returns which that was; nothing, where it had ended by then.
#[expect(clippy::disallowed_methods, reason = "the process is this very program")]
pub(crate) fn killed(child: &str, folder: &Path, act: &str, stop: usize) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(ACT, act)
        .env(STOP, stop.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let step = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("step ").map(str::to_owned));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(step.is_some() || status.success(), "the child failed by itself");
    step
}

fn is_whole(folder: &Path) -> bool {
    let repository = Repository::open(folder, None).unwrap();
    let request = CheckRequest { signers: None, identities: identities(ADMIN.0) };
    check(repository, request).unwrap().is_content()
}

const NAMES: [(&str, &str); 5] =
    [("web1", "token"), ("web1", "shared"), ("web2", "api-key"), ("db1", "licence"), ("db1", "ssh-host")];

fn values(folder: &Path) -> Vec<Vec<u8>> {
    NAMES.iter().map(|(machine, name)| read(folder, machine, name).unwrap()).collect()
}

#[expect(clippy::print_stderr, reason = "where the kills landed is shown")]
fn storm(name: &str) {
    let mut landed = std::collections::BTreeMap::<String, usize>::new();
    for stop in 1.. {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let before = values(folder.path());
        let Some(step) = killed("kill::child", folder.path(), name, stop) else { break };
        let is_decided = !step.starts_with("Beside");
        // First as somebody who only reads finds it, and then after the next writer came.
        for round in 0..2 {
            assert!(is_whole(folder.path()), "{name} killed at {step}, round {round}");
            let after = values(folder.path());
            let is_same = after == before;
            assert!(is_same != is_decided || name == "rekey", "{name} killed at {step}, round {round}");
            if round == 0 {
                drop(Repository::open(folder.path(), None).unwrap().writer().unwrap());
            }
        }
        assert!(!folder.path().join(".aux-secrets.next").exists());
        *landed.entry(step.split('(').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    eprintln!("{name}: killed at {landed:?}");
    assert!(landed.len() >= 4, "{landed:?}");
}

#[test]
fn a_killed_rotation_leaves_the_old_values_or_the_new_ones() {
    storm("rotate");
}

#[test]
fn a_killed_rekey_leaves_every_file_readable() {
    storm("rekey");
}

#[test]
fn a_killed_new_epoch_leaves_one_seed_with_what_hangs_on_it() {
    storm("epoch");
}

#[test]
fn a_killed_init_leaves_nothing_or_a_fleet() {
    for stop in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let Some(step) = killed("kill::child", folder.path(), "init", stop) else { break };
        if step.starts_with("Beside") {
            // Nothing was decided, so it can be begun again.
            begin(folder.path(), &mut |_| {});
        }
        assert!(is_whole(folder.path()), "{step}");
    }
}
