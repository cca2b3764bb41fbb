//! The daemon: what wakes it, what it needs while idle, and that a second one is refused.

use std::fs;

use crate::world::World;

/// The agent's idle memory may be this much, as the design says.
const IDLE_KIBIBYTES_MAX: u64 = 20 * 1_024;

#[test]
fn a_second_daemon_on_the_same_socket_is_refused_and_a_dead_ones_socket_is_taken_over() {
    let world = World::new(1);
    let mut daemon = world.daemon(None);
    let refused = world.run("--no-bus");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("agent.sock: another agent answers here"), "{said}");
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let second = world.daemon(None);
    assert!(!second.said.contains("error"), "{}", second.said);
}

#[test]
fn an_idle_daemon_is_small() {
    let world = World::new(200);
    let daemon = world.daemon(None);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes <= IDLE_KIBIBYTES_MAX, "{kibibytes} KiB");
}

#[test]
fn a_daemon_without_a_feed_or_a_bus_stays_and_says_so() {
    let world = World::new(1);
    fs::remove_file(world.path("feed.auxdb")).unwrap();
    let nowhere = format!("unix:path={}", world.path("no-bus").display());
    let daemon = world.daemon(Some(&nowhere));
    assert!(daemon.said.contains("feed.auxdb: no such file"), "{}", daemon.said);
    assert!(daemon.said.contains("the system bus"), "{}", daemon.said);
}
