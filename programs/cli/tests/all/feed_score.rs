//! `aux feed score`: small tables whose answers can be counted by hand.

use crate::world::World;

#[test]
fn verdicts_and_fixes_are_counted() {
    let mut world = World::new();
    world.file(
        "verdicts.tsv",
        "name\tcve\tlabel\tknowable\n\
         openssl-1.1.1j\tCVE-2020-10001\tfiled\tyes\n\
         openssl-1.1.1k\tCVE-2020-10005\tfiled\tyes\n\
         zlib-1.2.11\tCVE-2020-10002\tdropped\tyes\n\
         bolt-1.0\tCVE-2020-10003\tdropped\tyes\n\
         zlib-1.2.11\tCVE-1999-0001\tfiled\tno\n",
    );
    world.file(
        "fixes.tsv",
        "pkg\taffected_version\tfixed_version\tcve\tdate\tknowable\n\
         openssl11\t1.1.1j\t1.1.1k\tCVE-2020-10001\t2021-01-01\tyes\n\
         zlib\t1.2.10\t1.2.11\tCVE-2020-10002\t2021-01-01\tyes\n",
    );
    world.show("feed score --feed feed.auxdb --labels verdicts.tsv fixes.tsv --misses 5");
    world.show("feed score --feed feed.auxdb --labels verdicts.tsv --unreviewed");
    world.show("feed score --feed feed.auxdb --labels verdicts.tsv fixes.tsv --json");
    world.file("other.tsv", "a\tb\tknowable\n1\t2\tyes\n").file("ragged.tsv", "name\tcve\tlabel\tknowable\nx\n");
    world.show("feed score --feed feed.auxdb --labels other.tsv");
    world.show("feed score --feed feed.auxdb --labels ragged.tsv");
    world.show("feed score --feed feed.auxdb --labels nowhere.tsv");
    world.show("feed score --labels verdicts.tsv");
    insta::assert_snapshot!(world.transcript());
}
