//! Secrets of a real sops become envelopes, all of a file or none of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::corpora::in_ci;
use crate::world::{World, good, skipped};

/// Identities of age that belong to nobody, and their recipients.
const ADMIN: (&str, &str) = (
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);
const OTHER: (&str, &str) = (
    "AGE-SECRET-KEY-1DCYWFYXPFAUAAFX0DPJF299ETRVFJ5R58HX62Q6Q9TYH6U59HL0QUFHRMX",
    "age12agv4rers907eev4rwyrpqfkt6u6hvsz4kzn3nkpxhppalspu5kqvq9739",
);
const IMPORT: &str = "--scope machine:web1 --repo fleet --identity admin.key --identity other.key";

const DOCUMENT: &str = "# who reads this
db:
    password: hunter2
    port: 5432
    ratio: 0.10
    on: true
    none: null
    empty: \"\"
list:
    - one
    - two: x
      # inside
    - - nested
day: 2001-12-14
text: |
    line one
    line two
port_unencrypted: 12
flag_unencrypted: true
ratio_unencrypted: 1.50
word_unencrypted: \"05\"
";

/// The program, as `scripts/secrets-peers.sh` brings it.
fn sops() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/secrets/bin/sops");
    if program.exists() {
        return Some(program);
    }
    assert!(!in_ci(), "sops is missing; scripts/peers.sh installs it");
    skipped("no sops; scripts/secrets-peers.sh installs it");
    None
}

fn fleet() -> World {
    let world = World::empty();
    for (name, identity) in [("admin.key", ADMIN.0), ("other.key", OTHER.0)] {
        world.file(name, &format!("{identity}\n"));
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    good(&world, &format!("secret init fleet --recipient {} --accept-single-recipient", ADMIN.1));
    good(&world, &format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", ADMIN.1));
    world
}

/// Encrypts a document with the real program.
#[expect(clippy::disallowed_methods, reason = "sops itself makes the files that are taken over")]
fn encrypted(world: &World, sops: &Path, (name, text): (&str, &str), options: &[&str]) {
    world.file(name, text);
    let output = Command::new(sops)
        .args(["encrypt", "--in-place", "--age", OTHER.1])
        .args(options)
        .arg(world.path(name))
        .current_dir(world.path(""))
        .env_clear()
        .env("HOME", world.outside("home"))
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read_to_string(world.path(name)).unwrap().contains("ENC[AES256_GCM,"));
}

fn value(world: &World, name: &str) -> String {
    good(world, &format!("secret show {name} -m web1 --repo fleet --identity admin.key --output -"))
}

#[test]
fn a_document_of_sops_becomes_an_envelope_for_each_value() {
    let Some(sops) = sops() else { return };
    let mut world = fleet();
    encrypted(&world, &sops, ("prod.yaml", DOCUMENT), &[]);
    world.show(&format!("secret import prod.yaml {IMPORT}"));
    insta::assert_snapshot!(world.transcript());
    for (name, expected) in [
        ("db-password", "hunter2"),
        ("db-port", "5432"),
        ("db-ratio", "0.1"),
        ("db-on", "true"),
        ("list-0", "one"),
        ("list-1-two", "x"),
        ("list-2-0", "nested"),
        ("day", "2001-12-14T00:00:00Z"),
        ("text", "line one\nline two\n"),
    ] {
        assert_eq!(value(&world, name), expected, "{name}");
    }
    assert!(!world.transcript().contains("hunter2"));
    // Once more with another value: the next version of the same envelope.
    encrypted(&world, &sops, ("again.yaml", "db:\n  password: hunter3\n"), &[]);
    good(&world, &format!("secret import again.yaml {IMPORT}"));
    assert_eq!(value(&world, "db-password"), "hunter3");
}

#[test]
fn json_and_what_is_neither_and_every_way_to_choose_what_is_encrypted() {
    let Some(sops) = sops() else { return };
    let world = fleet();
    let json = r#"{"z": {"token": "t0", "n": 5, "f": 1.5, "t": true, "none": null}, "a": ["x", {"y": "w"}], "n_unencrypted": 1e21, "m_unencrypted": 3.0}"#;
    encrypted(&world, &sops, ("app.json", json), &[]);
    good(&world, &format!("secret import app.json {IMPORT}"));
    assert_eq!([value(&world, "z-token"), value(&world, "z-n"), value(&world, "a-1-y")], ["t0", "5", "w"]);
    encrypted(
        &world,
        &sops,
        ("some.yaml", "open: 1\nkey: \"2\"\nnested: {key: 3, open: true}\n"),
        &["--encrypted-regex", "^key$"],
    );
    let said = good(&world, &format!("secret import some.yaml {IMPORT}"));
    assert!(said.contains("left out nested.open of some.yaml") && value(&world, "nested-key") == "3", "{said}");
    // sops looks for its settings where it is started.
    world.file(".sops.yaml", &format!("creation_rules:\n  - mac_only_encrypted: true\n    age: {}\n", OTHER.1));
    encrypted(&world, &sops, ("only.yaml", "word: kept\nopen_unencrypted: 1\n"), &[]);
    assert!(fs::read_to_string(world.path("only.yaml")).unwrap().contains("mac_only_encrypted: true"));
    fs::remove_file(world.path(".sops.yaml")).unwrap();
    good(&world, &format!("secret import only.yaml {IMPORT}"));
    assert_eq!(value(&world, "word"), "kept");
    encrypted(&world, &sops, ("tls.key", "-----BEGIN…\nlines\n"), &["--input-type", "binary"]);
    good(&world, &format!("secret import tls.key {IMPORT}"));
    assert_eq!(value(&world, "tls"), "-----BEGIN…\nlines\n");
}

#[test]
fn what_is_wrong_with_any_file_takes_over_nothing() {
    let Some(sops) = sops() else { return };
    let mut world = fleet();
    encrypted(&world, &sops, ("good.yaml", "one: 1\nother: two\nport_unencrypted: 12\n"), &[]);
    let text = fs::read_to_string(world.path("good.yaml")).unwrap();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    let (one, other) = (line("one: "), line("other: "));
    let swapped = text.replace(&one, "@").replace(&other, &one.replacen("one", "other", 1));
    world.file("swapped.yaml", &swapped.replace('@', &other.replacen("other", "one", 1)));
    world.file("removed.yaml", &text.replace(&format!("{other}\n"), ""));
    world.file("changed.yaml", &text.replace("port_unencrypted: 12", "port_unencrypted: 13"));
    world.file("added.yaml", &format!("more: open\n{text}"));
    world.file("cut.yaml", &text[..text.len() / 2]);
    world.file("plain.yaml", "one: 1\n");
    world.file("pgp.yaml", &text.replace("    age:", "    pgp:"));
    world.file("twice.yaml", &format!("{one}\n{text}"));
    world.file("broken.json", "{\"a\": ");
    encrypted(&world, &sops, ("names.yaml", "\"a b\": c\n"), &[]);
    encrypted(&world, &sops, ("clash.yaml", "a: {b: 1}\na-b: 2\n"), &[]);
    let before = fs::read(world.path("fleet/aux-secrets.json")).unwrap();
    for name in [
        "swapped.yaml",
        "removed.yaml",
        "changed.yaml",
        "added.yaml",
        "cut.yaml",
        "plain.yaml",
        "pgp.yaml",
        "twice.yaml",
        "broken.json",
        "names.yaml",
        "clash.yaml",
        "missing.yaml",
    ] {
        // Even where another file of the same command is good.
        let said = world.show(&format!("secret import good.yaml {name} {IMPORT}"));
        assert_eq!(said.code, Some(2), "{name}: {}", said.shown());
    }
    let said = world.show("secret import good.yaml --scope machine:web1 --repo fleet --identity admin.key");
    assert_eq!(said.code, Some(2));
    assert_eq!(fs::read(world.path("fleet/aux-secrets.json")).unwrap(), before);
    insta::assert_snapshot!(world.transcript());
}
