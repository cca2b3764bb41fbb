//! Feeds that were cut, changed or never were one: refused as a whole, at every length and every byte.

use std::fs;

use crate::world::World;

#[test]
fn a_feed_that_is_none_is_refused_with_its_name() {
    let mut world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    let feed = fs::read(world.path("feed.auxdb")).unwrap();
    let with = |place: usize, byte: u8| {
        let mut changed = feed.clone();
        changed[place] = byte;
        changed
    };
    world
        .bytes("empty.auxdb", b"")
        .bytes("foreign.auxdb", b"SQLite format 3\0")
        .bytes("cut.auxdb", &feed[..feed.len() / 2]);
    world.bytes("newer.auxdb", &with(8, 9)).bytes("flipped.auxdb", &with(feed.len() / 2, feed[feed.len() / 2] ^ 1));
    world.bytes("longer.auxdb", &[feed.as_slice(), b"\n"].concat());
    for file in ["empty", "foreign", "cut", "newer", "flipped", "longer", "missing"] {
        for command in ["audit names --feed", "feed show"] {
            let said = world.show(&format!("{command} {file}.auxdb"));
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{command} {file}");
        }
    }
    world.show("audit names --feed .");
    // A details pack beside the feed is part of it.
    world.bytes("feed.auxdetails", b"\x89AUXDT\r\n\x01\0\0\0garbage");
    let said = world.show("audit names --feed feed.auxdb");
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_cut_or_a_changed_byte_anywhere_is_refused() {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    let feed = fs::read(world.path("feed.auxdb")).unwrap();
    // The whole loop over positions is the library's own test; here a sample of them goes through the process.
    for place in (0..feed.len()).step_by(feed.len() / 40) {
        let mut changed = feed.clone();
        changed[place] ^= 0x40;
        for bytes in [&feed[..place], &changed] {
            let said = world.bytes("bad.auxdb", bytes).run("audit names --feed bad.auxdb --json");
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{place}: {}", said.stderr);
            assert!(said.stderr.contains("bad.auxdb"), "{place}: {}", said.stderr);
        }
    }
}

#[test]
fn a_garbled_body_with_a_right_checksum_never_makes_a_finding_disappear_in_silence() {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    let feed = fs::read(world.path("feed.auxdb")).unwrap();
    let (header, body) = feed.split_at(48);
    let audit = |bytes: &[u8]| world.bytes("bad.auxdb", bytes).run("audit names --feed bad.auxdb --json --fail-on any");
    let sound = audit(&feed).json()["targets"][0]["findings"].clone();
    assert_eq!(sound.as_array().unwrap().len(), 2);
    // Lengths made absurd: each is a varint somewhere in the body, and 0xff announces more than there is.
    for place in (64..body.len()).step_by(7) {
        let mut changed = body.to_vec();
        changed[place] = 0xff;
        let said = audit(&[&header[..16], blake3::hash(&changed).as_bytes().as_slice(), &changed].concat());
        match said.code {
            Some(2) => {}
            // What was hit is not what this audit looks at, or is text: a title, a reason, a name of something else.
            Some(0 | 1) => {
                let report = said.json();
                let states: Vec<_> = report["targets"][0]["findings"].as_array().unwrap().iter().collect();
                let lost = states.len() < 2 && report["verdict"] == "pass";
                assert!(!lost || is_key_byte(body, place), "byte {place}: {}", said.stdout);
            }
            code => panic!("byte {place}: {code:?} {}", said.stderr),
        }
    }
}

/// Whether a byte belongs to a name one looks up by: another name is another feed, and no damage one could tell.
fn is_key_byte(body: &[u8], place: usize) -> bool {
    let around = &body[place.saturating_sub(24)..(place + 24).min(body.len())];
    String::from_utf8_lossy(around).contains("openssl") || String::from_utf8_lossy(around).contains("1.1.1")
}
