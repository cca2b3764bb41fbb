//! `aux feed lint`: notes with file and line; none is success.

use crate::fixtures;
use crate::world::World;

#[test]
fn notes_have_a_place_and_exit_1() {
    let mut world = World::empty();
    fixtures::sources(&world);
    world.show("feed lint triage");
    let identity =
        "[[identity]]\nnames = [\"bolt\"]\naffirm = [\"a:acme:bolt\"]\ndeny = [\"a:*:bolt\"]\nreason = \"Acme's\"\n";
    let useless = "[[identity]]\nnames = [\"zlib\"]\naffirm = [\"a:zlib:zlib\", \"a:no:where\"]\nreason = \"zlib's\"\n";
    world.file("triage/more.toml", &format!("{identity}\n{identity}\n{useless}"));
    world.show("feed lint triage");
    world.show("feed lint triage --nvd nvd.json");
    world.show("feed lint triage --json");
    world.file("triage/broken.toml", "[[identity]]\nnames = []\n");
    world.show("feed lint triage");
    world.show("feed lint nowhere");
    world.show("feed lint nvd.json");
    insta::assert_snapshot!(world.transcript());
}
