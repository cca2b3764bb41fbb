//! `aux doctor`: each thing that can be missing is named, with what to do.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let mut world = World::new();
    let places = "--state state --runtime run --as-of 2026-11-21";
    world.show(&format!("doctor {places}"));
    world.show(&format!("doctor --feed feed.auxdb {places}"));
    world.show("doctor --feed feed.auxdb --state state --runtime run --as-of 2021-01-02");
    world.file("aux.toml", "feed = \"feed.auxdb\"\n[agent]\nalert_on = \"all\"\n");
    world.show(&format!("doctor {places}"));
    // Where this machine has a bus or a store is its own matter.
    let settings = |line: &&str| !["bus ", "session ", "nix "].iter().any(|subject| line.starts_with(subject));
    let own: Vec<&str> = world
        .transcript()
        .lines()
        .filter(settings)
        .filter(|line| !line.contains("to do: software"))
        .filter(|line| !line.contains("to do: notifications") && !line.contains("to do: only needed"))
        .collect();
    assert_snapshot!(own.join("\n"));
}

#[test]
fn the_document_has_every_check() {
    let world = World::new();
    let said = world.run("doctor --feed feed.auxdb --state state --runtime run --as-of 2021-06-01 --json").json();
    assert_eq!(said["schema"], "aux.doctor/1");
    let subjects: Vec<&str> =
        said["checks"].as_array().unwrap().iter().map(|check| check["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["settings", "feed", "clock", "state", "nix", "bus", "session", "agent", "alerts"]);
}
