//! `aux secret slot` and `aux secret unlock`: from nothing to an identity, what is said of slots that fail, and bad files.

use std::fs;

use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{Tang, tang_is_here};
use crate::world::World;

const REACH: &str = "--slots slots.json --machine web-1";

/// The recipient of the file in this world.
fn recipient(world: &World) -> String {
    let listed = world.run(&format!("secret slot list {REACH} --json")).json();
    listed["recipient"].as_str().unwrap().to_owned()
}

/// A transcript without what is another each time.
fn settled(world: &World, replaced: &[(String, &str)]) -> String {
    let mut text = world.transcript().replace(&recipient(world), "age1RECIPIENT");
    for (real, shown) in replaced {
        text = text.replace(real.as_str(), shown);
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(if line.starts_with("AUX-RECOVERY-1") { "AUX-RECOVERY-1…" } else { line });
    }
    lines.join("\n")
}

#[test]
fn a_printed_key_opens_what_it_was_printed_for() {
    let mut world = World::empty();
    let printed = world.show(&format!("secret slot add paper --recovery {REACH}"));
    world.file("paper", &printed.stdout);
    world.show(&format!("secret slot add drawer --recovery {REACH}"));
    world.show(&format!("secret slot add drawer --recovery {REACH} --recovery-file paper"));
    world.show(&format!("secret slot add drawer --recovery {REACH} --recovery-file paper"));
    world.show(&format!("secret slot list {REACH}"));
    world.show(&format!("secret slot test {REACH} --recovery-file paper"));
    world.show(&format!("secret unlock --dry-run {REACH}"));
    world.show(&format!("secret unlock --output identity {REACH} --recovery-file paper"));
    world.show(&format!("secret unlock --output identity {REACH} --recovery-file paper"));
    insta::assert_snapshot!(settled(&world, &[]));
    let identity = fs::read_to_string(world.path("identity")).unwrap();
    assert!(identity.starts_with("AGE-SECRET-KEY-1"));
    for name in ["identity", "slots.json"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!world.transcript().contains(identity.trim()));
}

#[test]
fn a_tpm_and_two_servers_open_by_any_two_and_each_failure_is_a_line() {
    if !swtpm_is_here() || !tang_is_here() {
        return;
    }
    let mut world = World::empty();
    let (swtpm, first, second) = (Swtpm::start(), Tang::start(), Tang::start());
    let servers = format!("--tang {} --tang {}", first.url(), second.url());
    let trust = format!("--trust {} --trust {}", first.thumbprint(), second.thumbprint());
    let tpm = swtpm.address();
    let mut replaced = vec![
        (first.url(), "http://tang-a"),
        (second.url(), "http://tang-b"),
        (tpm.clone(), "swtpm:TPM"),
        (first.thumbprint(), "SIGNER-A"),
        (second.thumbprint(), "SIGNER-B"),
    ];
    world.show(&format!("secret slot add servers --threshold 2 --tpm2 7 {servers} --tpm {tpm} {REACH}"));
    world.show(&format!("secret slot add servers --tpm2 7 {servers} {trust} --tpm {tpm} {REACH}"));
    world.show(&format!("secret slot add servers --threshold 2 --tpm2 7,11 {servers} {trust} --tpm {tpm} {REACH}"));
    let listed = world.show(&format!("secret slot list {REACH}"));
    for (line, shown) in listed.stdout.lines().filter(|line| line.contains("by key")).zip(["KEY-A", "KEY-B"]) {
        replaced.push((line.rsplit(' ').next().unwrap().to_owned(), shown));
    }
    world.show(&format!("secret slot test --tpm {tpm} {REACH}"));
    world.show(&format!("secret unlock --output first --close 11 --tpm {tpm} {REACH}"));
    world.show(&format!("secret unlock --dry-run --tpm {tpm} {REACH}"));
    drop(second);
    world.show(&format!("secret unlock --dry-run --tpm {tpm} {REACH}"));
    world.show(&format!("secret unlock --output second --tpm {tpm} {REACH}"));
    insta::assert_snapshot!(settled(&world, &replaced));
}

#[test]
fn the_documents_have_schemas() {
    let world = World::empty();
    let added = world.run(&format!("secret slot add paper --recovery --json {REACH}")).json();
    assert_eq!(added["schema"], "aux.secret-slot-add/1");
    let key = added["recovery_keys"][0]["key"].as_str().unwrap();
    world.file("paper", key);
    let listed = world.run(&format!("secret slot list --json {REACH}")).json();
    assert_eq!((&listed["schema"], &listed["slots"][0]["kind"]), (&"aux.secret-slots/1".into(), &"recovery".into()));
    let tested = world.run(&format!("secret slot test --json --recovery-file paper {REACH}")).json();
    assert_eq!((&tested["schema"], &tested["may_reboot"]), (&"aux.secret-slot-test/1".into(), &false.into()));
    let dry = world.run(&format!("secret unlock --dry-run --json {REACH}"));
    assert_eq!((dry.code, &dry.json()["opens"]), (Some(1), &false.into()));
    let opened = world.run(&format!("secret unlock --output identity --json --recovery-file paper {REACH}")).json();
    assert_eq!((&opened["schema"], &opened["slot"]), (&"aux.secret-unlocked/1".into(), &"paper".into()));
}

#[test]
fn what_is_wrong_with_a_file_or_a_key_is_said_and_nothing_is_changed() {
    let mut world = World::empty();
    let printed = world.run(&format!("secret slot add paper --recovery {REACH}"));
    world.file("paper", &printed.stdout);
    let whole = fs::read(world.path("slots.json")).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    world.bytes("cut.json", &whole[..100]).bytes("empty.json", b"");
    world.file("newer.json", &text.replace("aux.slots/1", "aux.slots/2"));
    world.file("foreign.json", "{\"schema\": \"aux.slots/1\", \"colour\": 1}");
    world.file("wrong", "AUX-RECOVERY-1QQQ");
    for file in ["missing.json", "cut.json", "empty.json", "newer.json", "foreign.json"] {
        world.show(&format!("secret unlock --dry-run --machine web-1 --slots {file}"));
    }
    world.show("secret unlock --dry-run --machine web-2 --slots slots.json");
    world.show(&format!("secret unlock --output identity --recovery-file wrong {REACH}"));
    world.show(&format!("secret unlock --dry-run --tpm tpm0 {REACH}"));
    world.show(&format!("secret slot add Paper --recovery --recovery-file paper {REACH}"));
    world.show(&format!("secret slot add tpm --tpm2 7 --tpm swtpm:192.0.2.1:1 --recovery-file paper {REACH}"));
    assert_eq!(fs::read(world.path("slots.json")).unwrap(), whole);
    assert!(!world.path("identity").exists());
    insta::assert_snapshot!(settled(&world, &[]));
}
