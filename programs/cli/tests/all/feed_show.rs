//! `aux feed show`: about the feed, an advisory, a package.

use crate::world::World;

#[test]
fn a_feed_says_what_it_holds() {
    let mut world = World::new();
    for arguments in [
        "",
        "--json",
        "CVE-2020-10001",
        "cve-2020-10001",
        "CVE-2020-10006",
        "GHSA-aaaa-bbbb-cccc --json",
        "CVE-1999-0001",
        "--package openssl",
        "--package bolt",
        "--package left-pad --ecosystem npm",
        "--package nothing",
        "--package bolt --ecosystem nmp",
    ] {
        world.show(&format!("feed show feed.auxdb {arguments}"));
    }
    world.show("feed show nowhere.auxdb");
    insta::assert_snapshot!(world.transcript());
}
