//! `aux watch`: what is new since last time, and only that.

use insta::assert_snapshot;

use crate::world::World;

const DAY: &str = "--as-of 2021-02-03";

#[test]
fn targets_are_added_audited_when_they_change_and_removed() {
    let mut world = World::new();
    world.file("names", "openssl-1.1.1g\nzlib-1.2.13\n");
    world.show("watch list --state state");
    world.show("watch run --state state --feed feed.auxdb");
    world.show("watch add names --name web --state state");
    world.show("watch add names --name web --state state");
    world.show("watch add nothing-here --state state");
    world.show(&format!("watch list --state state {DAY}"));
    world.show(&format!("watch run --state state --feed feed.auxdb --dry-run {DAY}"));
    world.show(&format!("watch run --state state --feed feed.auxdb {DAY}"));
    world.show(&format!("watch run --state state --feed feed.auxdb {DAY}"));
    world.file("names", "openssl-1.1.1h\nzlib-1.2.11\n");
    world.show(&format!("watch run --state state --feed feed.auxdb --alert-on any {DAY}"));
    world.show(&format!("watch list --state state {DAY}"));
    world.show("watch list --state state --as-of 2021-06-01");
    world.show("watch run other --state state --feed feed.auxdb");
    world.show("watch run --state state --feed gone.auxdb");
    world.show("watch remove web --state state");
    world.show("watch remove web --state state");
    assert_snapshot!(world.transcript());
}

#[test]
fn every_answer_is_also_a_document() {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    world.run("watch add names --name web --state state");
    let round = world.run(&format!("watch run --state state --feed feed.auxdb --json {DAY}"));
    assert_eq!((round.code, round.json()["schema"].as_str()), (Some(1), Some("aux.round/1")));
    assert_eq!(round.json()["events"].as_array().unwrap().len(), 1);
    let list = world.run(&format!("watch list --state state --json {DAY}")).json();
    assert_eq!((list["schema"].as_str(), list["verdict"].as_str()), (Some("aux.status/1"), Some("fail")));
}

#[test]
fn what_cannot_be_read_is_unknown_and_forgets_nothing() {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    world.run("watch add names --name web --state state");
    world.run(&format!("watch run --state state --feed feed.auxdb {DAY}"));
    std::fs::remove_file(world.path("names")).unwrap();
    let gone = world.run(&format!("watch run --state state --feed feed.auxdb --json {DAY}"));
    assert_eq!((gone.code, gone.json()["systems"][0]["verdict"].as_str()), (Some(2), Some("unknown")));
    world.file("names", "openssl-1.1.1g\n");
    let back = world.run(&format!("watch run --state state --feed feed.auxdb --json {DAY}")).json();
    assert!(back["events"].as_array().unwrap().is_empty(), "{back}");
}
