//! Waivers: what they silence, when they end, and what their owner is told.

use crate::world::World;

fn world() -> World {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\nzlib-1.2.11\n");
    world
}

#[test]
fn a_waiver_silences_what_it_names_until_it_ends_and_says_when_it_does_nothing() {
    let mut world = world();
    let waiver = |rest: &str| format!("[[waiver]]\nids = [\"CVE-2020-10001\"]\nreason = \"no untrusted peer\"\n{rest}");
    world.file("holds.toml", &waiver("package = \"openssl\"\nversions = \"<1.1.1k\"\nexpires = 2021-06-01\n"));
    world.file("expired.toml", &waiver("expires = 2021-05-31\n"));
    world.file("fixed.toml", &waiver("until_fixed = true\n"));
    world.file("elsewhere.toml", &waiver("package = \"libressl\"\n"));
    for (file, code, strict) in [("holds", 0, 0), ("expired", 1, 1), ("fixed", 1, 1), ("elsewhere", 1, 1)] {
        let said = world.show(&format!("audit names --feed feed.auxdb --waivers {file}.toml"));
        assert_eq!(said.code, Some(code), "{file}");
        let arguments = format!("audit names --feed feed.auxdb --waivers {file}.toml --strict-waivers --fail-on none");
        assert_eq!(world.run(&arguments).code, Some(strict), "{file}");
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_whitelist_of_vulnix_means_what_it_meant_there() {
    let world = world();
    let any = |text: &str| {
        world.file("w.toml", text);
        world.run("audit names --feed feed.auxdb --fail-on severity:high --waivers w.toml").code
    };
    assert_eq!(any("[\"openssl-1.1.1g\"]\n"), Some(0), "an entry without advisories covers the whole package");
    assert_eq!(any("[\"openssl\"]\ncve = [\"CVE-2020-10001\"]\n"), Some(0));
    assert_eq!(any("[\"openssl\"]\ncve = \"CVE-2020-10001\"\n"), Some(0), "one advisory may be text");
    assert_eq!(any("[\"*\"]\ncve = [\"CVE-2020-10001\"]\nissue_url = \"https://x.example/1\"\n"), Some(0));
    assert_eq!(any("[\"openssl-1.1.1h\"]\n"), Some(1), "another version");
    assert_eq!(any("[\"openssl\"]\ncve = [\"CVE-2020-10002\"]\n"), Some(1), "another advisory");
    assert_eq!(any("[\"openssl\"]\nuntil = \"2021-06-02\"\n"), Some(0), "the day before its end");
    assert_eq!(any("[\"openssl\"]\nuntil = \"2021-06-01\"\n"), Some(1), "reported again from that day on");
    assert_eq!(any("[\"*\"]\n"), Some(2), "everything is never waived at once");
    assert_eq!(any("[openssl-1.1.1g]\ncve = [\"CVE-2020-10001\"]\n"), Some(2), "a heading without quotes");
}

#[test]
fn a_waiver_file_that_does_not_read_stops_the_audit() {
    let mut world = world();
    world.file("broken.toml", "[[waiver]]\nids = [\n");
    world.file("reasonless.toml", "\n[[waiver]]\nids = [\"CVE-2020-10001\"]\nreason = \"\"\n");
    world.file("unquoted.toml", "[openssl-1.1.1g]\ncve = [\"CVE-2020-10001\"]\n");
    world.bytes("latin1.toml", b"# caf\xe9\n");
    for file in ["broken", "reasonless", "unquoted", "latin1", "missing"] {
        let said = world.show(&format!("audit names --feed feed.auxdb --waivers {file}.toml"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{file}");
    }
    insta::assert_snapshot!(world.transcript());
}
