//! The whole reference: the help of every command, word for word, and what a mistyped command line is answered.

use crate::world::World;

#[test]
fn the_reference_is_what_help_says() {
    let mut world = World::empty();
    for command in [
        "",
        "audit",
        "feed",
        "feed build",
        "feed show",
        "feed lint",
        "cache",
        "cache create",
        "cache token create",
        "cache push",
        "cache promote",
        "cache withdraw",
        "secret slot add",
        "secret slot test",
        "secret unlock",
        "config",
        "config show",
    ] {
        let said = world.show(&format!("{command} --help"));
        assert_eq!(said.code, Some(0), "{command}");
        for line in said.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_mistyped_command_line_is_no_answer() {
    let mut world = World::new();
    world.file("list", "curl-1.0\n");
    for arguments in [
        "",
        "frobnicate",
        "audit --frobnicate",
        "audit list --json --format table",
        "audit list --format yaml",
        "audit list --as-of 2021-02-30",
        "audit list --ecosystem nixx",
        "audit list --feed feed.auxdb --fail-on severity:huge",
        "audit list --explain",
        "audit list --explain CVE-2020-10001 --format sarif",
        "audit - - --feed feed.auxdb",
        "feed",
        "feed build",
        "feed show",
        "feed show feed.auxdb CVE-2020-10001 --package curl",
        "feed lint",
        "config",
    ] {
        let said = world.show(arguments);
        assert_eq!(said.code, Some(2), "{arguments}: {}", said.shown());
        assert_eq!(said.stdout, "", "{arguments}");
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_version_is_told() {
    let said = World::empty().run("--version");
    assert_eq!((said.stdout.as_str(), said.code), (concat!("aux ", env!("CARGO_PKG_VERSION"), "\n"), Some(0)));
}
