//! `aux doctor`: each thing that can be missing is named, with what to do.

use insta::assert_snapshot;
use std::fmt::Write as _;

use crate::world::World;

/// What was found, without what differs from machine to machine.
fn told(world: &World, arguments: &str) -> String {
    let said = world.run(&format!("doctor {arguments} --json"));
    let mut text = format!("$ aux doctor {arguments}\n");
    for check in said.json()["checks"].as_array().unwrap() {
        let word = |name: &str| check[name].as_str().unwrap_or("-").to_owned();
        if !["nix", "bus", "session", "toasts"].contains(&word("subject").as_str()) {
            let _ = writeln!(text, "{} {}: {}", word("subject"), word("health"), word("message"));
            let _ = writeln!(text, "    {}", word("hint"));
        }
    }
    text + &format!("exit {:?}\n\n", said.code)
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let world = World::new();
    let places = "--state state --runtime run";
    let mut text = told(&world, &format!("{places} --as-of 2026-11-21"));
    text += &told(&world, &format!("{places} --feed feed.auxdb --as-of 2026-11-21"));
    text += &told(&world, &format!("{places} --feed feed.auxdb --as-of 2021-01-02"));
    world.file("names", "openssl-1.1.1g\n");
    world.run("watch add names --state state");
    world.file("aux.toml", "feed = \"feed.auxdb\"\n[agent]\nalert_on = \"all\"\n");
    text += &told(&world, &format!("{places} --as-of 2026-11-21"));
    world.file("aux.toml", "[agents]\n");
    text += &told(&world, &format!("{places} --as-of 2026-11-21"));
    assert_snapshot!(text);
}

#[test]
fn every_check_is_told_in_words_too() {
    let world = World::new();
    let said = world.run("doctor --feed feed.auxdb --state state --runtime run --as-of 2021-06-01");
    for subject in ["configuration", "feed", "clock", "state", "nix", "bus", "session", "toasts", "agent", "alerting"] {
        assert!(said.stdout.contains(&format!("{subject} is ")), "{}", said.stdout);
    }
    let json = world.run("doctor --feed feed.auxdb --state state --runtime run --as-of 2021-06-01 --json").json();
    assert_eq!(json["schema"], "aux.doctor/1");
}
