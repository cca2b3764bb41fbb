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
    let statement = "[[statement]]\npackage = \"nix:zlib\"\nids = [\"CVE-1999-0001\"]\nstatus = \"under_investigation\"\nreason = \"r\"\nauthor = \"a\"\ndate = 2021-01-01\n";
    let class = "[[class]]\nids = [\"CVE-1999-0002\"]\nclass = \"critical\"\nreason = \"r\"\nauthor = \"a\"\ndate = 2021-01-01\n";
    let fix = "[[fix]]\nids = [\"CVE-2020-10001\"]\npackage = \"nix:zlib\"\nversion = \"9\"\nreason = \"r\"\n";
    world.file("triage/more.toml", &format!("{statement}\n{class}\n{fix}"));
    world.show("feed lint triage --nvd nvd.json");
    world.file("triage/more.toml", &statement.replace("reason =", "versions = \">=1,>=2\"\nreason ="));
    world.show("feed lint triage");
    world.file("triage/broken.toml", "[[identity]]\nnames = []\n");
    world.show("feed lint triage");
    world.show("feed lint nowhere");
    world.show("feed lint nvd.json");
    insta::assert_snapshot!(world.transcript());
}
