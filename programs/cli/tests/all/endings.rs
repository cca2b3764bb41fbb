//! How a run ends when the other side is gone, full or hostile: the exit code, and what reaches the terminal.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::Stdio;

use crate::fixtures;
use crate::world::World;

fn world() -> World {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    world
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    let world = world();
    for arguments in [
        "audit names --feed feed.auxdb",
        "audit names --feed feed.auxdb --explain CVE-2020-10001",
        "feed show feed.auxdb",
        "config show",
        "--help",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = world.finish(world.command(arguments).stdout(writer).stderr(Stdio::piped()));
        assert_eq!((said.code, said.stderr.as_str()), (Some(141), ""), "{arguments}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_never_an_answer() {
    let world = world();
    for arguments in [
        "audit names --feed feed.auxdb",
        "audit names --feed feed.auxdb --fail-on none",
        "feed show feed.auxdb",
        "--help",
    ] {
        let said = world.finish(world.command(arguments).stdout(full()).stderr(Stdio::piped()));
        assert_eq!(said.code, Some(2), "{arguments}: {}", said.stderr);
    }
    let said = world.run("audit names --feed feed.auxdb --output /dev/full");
    assert_eq!(said.code, Some(2), "{}", said.stderr);
}

#[test]
fn stderr_that_cannot_be_written_changes_no_exit_code() {
    let world = world();
    for (arguments, code) in [
        ("audit names --feed nowhere", 2),
        ("feed show feed.auxdb CVE-1999-0001", 1),
        ("audit names --feed feed.auxdb", 1),
    ] {
        let said = world.finish(world.command(arguments).stderr(full()).stdout(Stdio::piped()));
        assert_eq!(said.code, Some(code), "{arguments}");
    }
}

#[test]
fn nothing_foreign_steers_the_terminal() {
    let world = World::new();
    let evil = "ev\u{1b}]0;owned\u{7}il\u{202e}\u{200b}\u{9b}2J\u{e0041}";
    let sbom = serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
        { "type": "library", "name": "openssl", "version": format!("1.1.1g{evil}"), "purl": format!("pkg:nix/openssl@1.1.1g?x={evil}") },
        { "type": "library", "name": evil, "version": "1" } ] });
    world.file("sbom", &sbom.to_string());
    world.file(&format!("{evil}\nPASS: no alarm"), "\u{1b}[31mred-1.0\nzlib-1.2.11\n");
    world.file("folder/a\nPASS: clean", "not a list of anything at all\n");
    world.file("triage.toml", &format!("[[class]]\nclass = \"{evil}\"\n", evil = "ev\\u001bil"));
    let file = format!("{evil}\nPASS: no alarm");
    let mut commands = vec![world.command("feed lint .")];
    for format in ["table", "markdown", "junit", "json", "sarif", "openvex", "cyclonedx"] {
        let mut command = world.command(&format!("audit sbom folder --feed feed.auxdb --format {format}"));
        command.arg(&file);
        commands.push(command);
    }
    for arguments in [
        "audit --feed feed.auxdb --explain CVE-2020-10002",
        "audit --feed",
        "audit names --feed feed.auxdb --waivers",
        "feed show",
        "config show",
        "audit --fail-on",
        "audit --explain",
    ] {
        let mut command = world.command(arguments);
        command.arg(&file);
        commands.push(command);
    }
    for mut command in commands {
        let said = world.finish(&mut command);
        for (stream, text) in [("stdout", &said.stdout), ("stderr", &said.stderr)] {
            let bad = text.chars().find(|c| {
                (c.is_control() && *c != '\n')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{e0000}'..='\u{e007f}')
            });
            let is_json = text.starts_with('{');
            assert!(
                bad.is_none() || is_json && !bad.unwrap().is_control(),
                "{command:?} {stream}: {bad:?} in {text:?}"
            );
            assert!(!text.lines().any(|line| line.starts_with("PASS")), "{command:?} {stream}: forged: {text}");
        }
    }
}

#[test]
fn long_names_and_many_findings_stay_inside_the_page() {
    let world = World::new();
    let long = format!("{}/{}", "d".repeat(120), "n".repeat(200));
    let names: String = (0..300)
        .map(|number| format!("openssl-1.1.{}{}\n", number % 2, "0".repeat(number % 40)))
        .collect::<Vec<_>>()
        .concat();
    world.file(&long, &names);
    for width in ["40", "80", "120"] {
        for arguments in ["", "--explain CVE-2020-10001"] {
            let mut command = world.command(&format!("audit {long} --feed feed.auxdb {arguments}"));
            let said = world.finish(command.env("COLUMNS", width));
            let width: usize = width.parse().unwrap();
            for line in said.stdout.lines() {
                // A sentence leaves a word whole that is longer than the line.
                let is_word = !arguments.is_empty() && line.split_whitespace().count() == 1;
                assert!(is_word || line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_long_list_is_read_whole() {
    let world = World::new();
    let mut text = Vec::new();
    for number in 0..300_000 {
        writeln!(text, "package{}-{}.{}", number % 50_000, number % 7, number % 11).unwrap();
    }
    text.extend_from_slice(b"openssl-1.1.1g\n");
    world.bytes("names", &text);
    let said = world.run("audit names --feed feed.auxdb --json --fail-on kev");
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.json()["targets"][0]["components"].as_u64().unwrap() > 50_000);
}

#[test]
fn what_cannot_be_opened_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    world.file("folder/closed", "zlib-1.2.11\n").file("folder/open", "zlib-1.2.11\n");
    fs::set_permissions(world.path("folder/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(world.path("folder/closed")).is_ok() {
        eprintln!("skipped: root reads everything, so a closed file cannot be made");
        return;
    }
    for target in ["folder", "folder/closed"] {
        let said = world.run(&format!("audit {target} --feed feed.auxdb"));
        assert_eq!(said.code, Some(2));
        assert!(said.stdout.contains("folder/closed") && said.stdout.contains("cannot be read"), "{}", said.stdout);
    }
}

#[test]
fn a_waiver_list_may_be_long() {
    let world = world();
    let waivers: String = (0..5_000)
        .map(|number| {
            format!(
                "[[waiver]]\nids = [\"CVE-2021-{:05}\"]\npackage = \"p{number}\"\nreason = \"r\"\n",
                10_000 + number
            )
        })
        .collect::<Vec<_>>()
        .concat();
    world.file("w.toml", &waivers);
    let names: String = (0..2_000).map(|number| format!("openssl-1.0.{number}\n")).collect::<Vec<_>>().concat();
    world.file("names", &format!("{names}{}\n", fixtures::store_path("zlib-1.2.11")));
    let said = world.run("audit names --feed feed.auxdb --json --waivers w.toml --strict-waivers --fail-on none");
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert_eq!(said.json()["waivers"].as_array().unwrap().len(), 5_000);
}
