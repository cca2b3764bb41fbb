//! Publishing and following a feed: what is kept is the published index, byte for byte, and it comes in small pieces.

use std::fs;

use crate::team::{copy, done, follow, index, kept_index, publish, publisher, status, sync, url};
use crate::world::World;

#[test]
fn a_new_client_takes_the_whole_and_then_deltas() {
    let world = publisher();
    assert_eq!(publish(&world, 40, 1)["serial"], 1);
    let first = follow(&world, &url(&world));
    assert_eq!((&first["serial"], &first["means"]), (&1.into(), &"whole".into()));
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());

    let published = publish(&world, 40, 2);
    assert_eq!((&published["serial"], &published["deltas"][0]["since"]), (&2.into(), &1.into()));
    let second = done(&sync(&world, &url(&world))).json();
    assert_eq!((&second["serial"], &second["means"], &second["requests"]), (&2.into(), &"delta".into(), &5.into()));
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());

    // Nothing new: the newer root that is not there, and the timestamp.
    let third = done(&sync(&world, &url(&world))).json();
    assert_eq!((&third["means"], &third["requests"]), (&"kept".into(), &2.into()));
}

#[test]
fn a_feed_may_be_served_from_a_folder_that_is_called_as_its_own_parts_are() {
    let world = publisher();
    publish(&world, 40, 1);
    let elsewhere = world.path("targets");
    copy(&world.path("team/public"), &elsewhere);
    let url = format!("file://{}", elsewhere.display());
    assert_eq!(follow(&world, &url)["means"], "whole");
    publish(&world, 40, 2);
    copy(&world.path("team/public"), &elsewhere);
    assert_eq!(done(&sync(&world, &url)).json()["means"], "delta");
}

#[test]
fn a_client_at_any_serial_in_reach_takes_one_delta() {
    let world = publisher();
    let client = |serial: usize| world.path(&format!("client-{serial}"));
    let state = |serial: usize| client(serial).display().to_string();
    for serial in 1..=12 {
        publish(&world, 30 + serial, serial);
        let root = world.path("team/public/root.json");
        done(&world.run(&format!("feed sync {} --root {} --state {}", url(&world), root.display(), state(serial))));
    }
    let newest = fs::read(world.path("next.auxdb")).unwrap();
    for serial in 1..12 {
        let said = done(&world.run(&format!("feed sync {} --state {} --json", url(&world), state(serial)))).json();
        assert_eq!(said["means"], "delta", "{serial}");
        let kept = fs::read_dir(client(serial)).unwrap().map(|entry| entry.unwrap().path());
        let kept = kept.filter(|path| path.extension().is_some_and(|extension| extension == "auxdb"));
        let kept: Vec<Vec<u8>> = kept.map(|path| fs::read(path).unwrap()).collect();
        assert!(matches!(kept.as_slice(), [only] if *only == newest), "{serial}");
    }
}

#[test]
fn an_audit_uses_the_synced_feed_and_says_the_same_as_with_the_published_file() {
    let world = publisher();
    publish(&world, 3, 1);
    follow(&world, &url(&world));
    world.file("list", "openssl-1.1.1j\nthing-0.1\n");
    let synced = world.run("audit list --json");
    let named = world.run("audit list --json --feed next.auxdb");
    assert_eq!((synced.code, &synced.stdout), (named.code, &named.stdout), "{}", synced.shown());
    assert!(!synced.json()["targets"][0]["findings"].as_array().unwrap().is_empty(), "{}", synced.stdout);
    assert_eq!(world.run("audit list --json --offline").stdout, named.stdout);
}

#[test]
fn a_feed_nobody_vouched_for_lately_makes_no_verdict() {
    let world = publisher();
    publish(&world, 3, 1);
    follow(&world, &url(&world));
    world.file("list", "bash-5.1\n");
    assert_eq!(world.run("audit list").code, Some(0));
    assert_eq!(world.run("feed status").code, Some(0));
    for allowed in ["", " --allow-incomplete"] {
        let stale = world.run(&format!("audit list --as-of 2040-01-01 --json{allowed}"));
        assert_eq!(stale.code, Some(2), "{}", stale.shown());
        assert_eq!(stale.json()["verdict"], "unknown");
        let problem = stale.json()["targets"][0]["problems"][0].to_string();
        assert!(problem.contains("longer than the 7 days allowed"), "{problem}");
    }
    let status = world.run("feed status --json --as-of 2040-01-01");
    let explained = world.run("audit list --as-of 2040-01-01 --explain CVE-2023-38545");
    assert_eq!(explained.code, Some(2), "{}", explained.shown());
    assert!(explained.stdout.contains("not read: the feed:"), "{}", explained.shown());
    assert_eq!((status.code, &status.json()["stale"]), (Some(2), &true.into()));
    let behind = world.run("feed status --as-of 2020-01-01");
    assert_eq!(behind.code, Some(2));
    assert!(behind.stdout.contains("set the clock"), "{}", behind.stdout);
}

#[test]
fn before_the_first_sync_there_is_no_feed_and_no_clean() {
    let mut world = publisher();
    publish(&world, 3, 1);
    let url = url(&world);
    world.file("list", "bash-5.1\n");
    world.show("feed status");
    world.show("audit list");
    let asked = world.run(&format!("feed sync {url}"));
    assert_eq!(asked.code, Some(2));
    assert!(asked.stderr.contains("its root metadata must be given once"), "{}", asked.stderr);
    world.show("feed sync");
    world.show("feed sync ftp://feeds.example/aux");
    world.show("feed sync http://192.0.2.1/aux --root team/public/root.json");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_same_index_is_published_once_and_signed_again_after() {
    let world = publisher();
    publish(&world, 3, 1);
    let again = done(&world.run("feed publish next.auxdb --repo team --json")).json();
    assert_eq!((&again["serial"], &again["new"]), (&1.into(), &false.into()));
    let renewed = done(&world.run("feed publish --repo team --json")).json();
    assert_eq!((&renewed["serial"], &renewed["new"]), (&1.into(), &false.into()));
    follow(&world, &url(&world));
    assert_eq!(status(&world)["serial"], 1);
}

#[test]
fn keys_are_replaced_and_clients_follow() {
    let world = publisher();
    publish(&world, 3, 1);
    follow(&world, &url(&world));
    for role in ["timestamp", "snapshot", "targets", "root"] {
        done(&world.run(&format!("feed key rotate {role} --repo team")));
        publish(&world, 4, 2);
        done(&sync(&world, &url(&world)));
    }
    let keys = done(&world.run("feed key list --repo team --json")).json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 6);
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());
    // A client that was away for all of it follows the chain from its old root.
    follow(&world, &format!("{} --state late", url(&world)));
}

#[test]
fn a_repository_says_what_it_cannot_do() {
    let mut world = publisher();
    index(&world, "next", 1, 1);
    world.show("feed init --repo team");
    world.show("feed publish --repo team");
    world.show("feed publish next.auxdb --repo nowhere");
    world.file("wrong.auxdb", "no index");
    world.show("feed publish wrong.auxdb --repo team");
    world.show("feed init --repo other --signers root=3/2");
    world.show("feed init --repo other --signers roots=2/3");
    fs::rename(world.path("team/keys/timestamp-1.pem"), world.path("away.pem")).unwrap();
    world.show("feed publish next.auxdb --repo team");
    fs::rename(world.path("away.pem"), world.path("team/keys/timestamp-1.pem")).unwrap();
    for key in ["root-1.pem", "root-2.pem"] {
        fs::rename(world.path("team/keys").join(key), world.path(key)).unwrap();
    }
    world.show("feed key rotate timestamp --repo team");
    world.show("feed key rotate timestamp --repo team --root-key root-1.pem --root-key next.auxdb");
    let signed = world.run("feed key rotate timestamp --repo team --root-key root-1.pem");
    done(&signed);
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn keys_are_for_their_owner_alone_and_no_command_shows_one() {
    use std::os::unix::fs::PermissionsExt;
    let world = publisher();
    let keys = world.path("team/keys");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    let shown = world.run("feed key list --repo team --json").stdout;
    for entry in fs::read_dir(keys).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let secret = fs::read_to_string(entry.path()).unwrap();
        assert!(!secret.lines().nth(1).is_some_and(|line| shown.contains(line)));
    }
}

#[test]
fn the_same_day_and_keys_give_the_same_publication() {
    let (one, two) = (World::empty(), World::empty());
    done(&one.run("feed init --repo team --as-of 2026-01-01"));
    copy(&one.path("team"), &two.path("team"));
    for world in [&one, &two] {
        index(world, "next", 5, 1);
        done(&world.run("feed publish next.auxdb --repo team --as-of 2026-01-02"));
    }
    for name in ["timestamp.json", "1.snapshot.json", "1.targets.json"] {
        let read = |world: &World| fs::read(world.path("team/public").join(name)).unwrap();
        assert_eq!(read(&one), read(&two), "{name}");
    }
}

#[test]
fn a_difference_between_feeds_is_named_and_what_is_published_can_be_verified() {
    let mut world = publisher();
    index(&world, "old", 3, 1);
    index(&world, "new", 4, 2);
    world.show("feed diff old.auxdb old.auxdb");
    world.show("feed diff old.auxdb new.auxdb");
    let diff = world.run("feed diff old.auxdb new.auxdb --json");
    assert_eq!((diff.code, diff.json()["added"].as_array().unwrap().len()), (Some(1), 1));
    world.show("feed verify new.auxdb");
    world.show("feed verify new.json");
    world.show("feed verify --repo team");
    publish(&world, 30, 1);
    publish(&world, 30, 2);
    world.show("feed verify --repo team");
    for entry in fs::read_dir(world.path("team/public/targets")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[50] ^= 1;
        crate::world::write(&path, &bytes);
    }
    let broken = world.run("feed verify --repo team");
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.contains("it is not the file that was signed"), "{}", broken.stderr);
    insta::assert_snapshot!(world.transcript());
}
