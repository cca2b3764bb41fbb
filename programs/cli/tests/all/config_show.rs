//! `aux config show`: every setting and where it came from.

use crate::world::{World, write};

#[test]
fn every_setting_is_shown_with_its_file() {
    let mut world = World::empty();
    world.show("config show");
    write(&world.outside("config/aux/aux.toml"), b"feed = \"/srv/feed.auxdb\"\nstrict_waivers = true\n");
    world.file("aux.toml", "fail_on = \"kev\"\nwaivers = [\"a.toml\", \"b.toml\"]\n");
    world.file("fleet/aux.toml", "fail_on = \"none\"\n");
    world.show("config show fleet");
    world.show("config show fleet --json");
    world.file("fleet/aux.toml", "feeds = \"x\"\n");
    world.show("config show fleet");
    insta::assert_snapshot!(world.transcript());
}
