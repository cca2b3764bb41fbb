//! Signing keys that lie elsewhere than in the data folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aux_cache::{Move, Place, Way, migrate};
use aux_nix::NarInfo;
use aux_nix::signature::{KeyName, SecretKey, TrustedKeys};
use serde_json::json;

use crate::postgres::Postgres;
use crate::pushing::Made;
use crate::several::records_wish;
use crate::world::{Nix, World};

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::new(KeyName::parse(name).unwrap(), zeroize::Zeroizing::new([seed; 32])).unwrap()
}

/// A file with keys, which nobody else may read.
fn file(path: &Path, keys: &[&SecretKey]) -> String {
    let lines: Vec<_> = keys.iter().map(|key| key.reveal()).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
    aux_io::file::create_private(path, lines.join("\n").as_bytes()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Whether what a cache serves of a path is signed by a key.
fn is_signed(world: &World, space: &str, made: &Made, key: &str) -> bool {
    let answer = world.ask(&format!("GET /{space}/{}.narinfo", made.hash), &world.admin, b"");
    let info = NarInfo::parse(answer.text().as_bytes()).unwrap();
    info.verify(&TrustedKeys::parse(key).unwrap()).is_ok()
}

#[test]
fn a_key_from_elsewhere_signs_all_and_is_not_replaced_by_one_that_nobody_knows() {
    let mut world = World::prepared();
    let team = key("team-1", 3);
    let named = file(&world.path("team-key"), &[&team]);
    world.start(&["--signing-key-file", &named]);
    assert_eq!(world.public_key, team.public().to_string());
    assert!(!world.path("data/signing-key").exists());
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &world.token("staging", &["push"]));
    world.api("POST", "views/vetted/promote", &json!({ "paths": [path.base] }));
    assert!(is_signed(&world, "vetted", &path, &team.public().to_string()));
    assert!(!world.log().contains(team.reveal().split(':').nth(1).unwrap()), "no key stands in the log");
    world.kill();

    // Left away, it is missed: clients know no other.
    let told = world.refused(&[]);
    assert!(told.contains("data/signing-key: there is no signing key") && told.contains("team-1:"), "{told}");
    assert!(told.contains("name the file with it by --signing-key-file"), "{told}");
    assert!(!world.path("data/signing-key").exists());

    // One in the folder is what counts where no other is named, and counts for nothing where one is.
    let own = key("own-1", 4);
    file(&world.path("data/signing-key"), &[&own]);
    world.start(&["--signing-key-file", &named]);
    assert_eq!(world.public_key, team.public().to_string());
    assert!(is_signed(&world, "vetted", &path, &team.public().to_string()));
    let said = "data/signing-key holds other keys and is not used: ";
    assert!(world.log().contains(said), "{}", world.log());
    world.kill();
    world.start(&[]);
    assert!(is_signed(&world, "vetted", &path, &own.public().to_string()));
    assert!(!is_signed(&world, "vetted", &path, &team.public().to_string()));
    world.kill();

    // A change of keys with both for a while.
    let both = file(&world.path("both"), &[&team, &own]);
    world.start(&["--signing-key-file", &both]);
    for one in world.public_key.clone().split(' ') {
        assert!(is_signed(&world, "vetted", &path, one), "{one}");
    }
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_file_that_is_no_key_or_that_others_may_read_ends_the_start_and_is_named() {
    let world = World::prepared();
    let team = key("team-1", 3);
    let named = file(&world.path("team-key"), &[&team]);
    let refused = |file: &str, says: &str| {
        let told = world.refused(&["--signing-key-file", file]);
        assert!(told.contains(&format!("{file}: ")) && told.contains(says), "{told}");
        assert!(!told.contains(&team.reveal()[..20]), "{told}");
    };
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&named, Permissions::from_mode(mode)).unwrap();
        refused(&named, "others may read this file; `chmod 600` it");
    }
    refused(world.path("nowhere").to_str().unwrap(), "cannot be read: No such file");
    let other = |name: &str, text: &str| {
        let path = world.path(name);
        aux_io::file::create_private(&path, text.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    refused(&other("empty", "\n"), "it holds no key");
    refused(&other("public", &format!("{}\n", team.public())), "is no signing key");
    let twice = format!("{}\n{}\n", team.reveal().as_str(), key("team-1", 4).reveal().as_str());
    refused(&other("twice", &twice), "two keys are called team-1");
    refused(&other("long", &"#".repeat(70_000)), "has more than 65536 bytes");
    assert!(!world.path("data/signing-key").exists());
    fs::set_permissions(&named, Permissions::from_mode(0o400)).unwrap();
    let mut world = world;
    world.start(&["--signing-key-file", &named]);
}

#[test]
fn several_servers_sign_with_one_key_that_is_in_no_folder_of_theirs() {
    let Some(cluster) = Postgres::new() else { return };
    let address = cluster.database();
    let mut one = World::prepared();
    let (team, other) = (key("team-1", 3), key("team-2", 4));
    let named = file(&one.path("team-key"), &[&team]);
    let arguments = ["--records", &address, "--signing-key-file", &named];
    one.start(&arguments);
    // On another machine it lies elsewhere.
    let copy = file(&one.path("copy"), &[&team]);
    let mut two = one.sharing(&["--records", &address, "--signing-key-file", &copy]);
    assert_eq!((&one.public_key, &two.public_key), (&team.public().to_string(), &one.public_key));
    let wrong = file(&one.path("wrong"), &[&other]);
    let told = two.refused(&["--records", &address, "--signing-key-file", &wrong]);
    assert!(told.contains(&format!("{wrong}: holds other keys than team-1:")), "{told}");
    let told = two.refused(&["--records", &address]);
    assert!(told.contains("or name theirs with --signing-key-file"), "{told}");
    one.kill();
    two.kill();
    one.start(&["--records", &address, "--signing-key-file", &wrong]);
    assert_eq!(one.public_key, other.public().to_string());
}

#[test]
fn records_are_moved_of_a_folder_that_has_no_key_and_checked_there() {
    let Some(cluster) = Postgres::new() else { return };
    let address = cluster.database();
    let mut world = World::prepared();
    let team = key("team-1", 3);
    let named = file(&world.path("team-key"), &[&team]);
    world.start(&["--signing-key-file", &named]);
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &world.token("staging", &["push"]));
    world.api("POST", "views/vetted/promote", &json!({ "paths": [path.base] }));
    world.kill();
    let wish = Move {
        store_directory: world.store().display().to_string(),
        ..records_wish(&world.path("data"), &Place::parse(&address, None).unwrap(), Way::Out)
    };
    migrate(&wish, &mut |_| {}).unwrap();
    assert!(world.refused(&["--records", &address]).contains("name theirs with --signing-key-file"));
    world.start(&["--records", &address, "--signing-key-file", &named]);
    assert!(is_signed(&world, "vetted", &path, &team.public().to_string()));
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
    assert!(!world.path("data/signing-key").exists());
}

#[test]
fn nix_makes_a_key_and_another_nix_substitutes_what_it_signs() {
    let mut world = World::prepared();
    world.start(&[]);
    let Some(nix) = Nix::new(&world, &world.token("*", &["push"])) else { return };
    let made = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (secret, public) = (made("team-key"), made("team-key.public"));
    nix.run("nix-store", &["--generate-binary-cache-key", "cache.example.org-1", &secret, &public]);
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o077, 0, "as nix leaves it");
    let path = nix.build();
    world.kill();
    world.start(&["--signing-key-file", &secret]);
    let nix = Nix::new(&world, &world.token("*", &["push", "promote"])).unwrap();
    nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
    let promoted = world.api("POST", "views/vetted/promote", &json!({ "paths": [path] }));
    assert_eq!(promoted["outcome"], "promoted");
    nix.forget();
    let public = fs::read_to_string(public).unwrap();
    let (url, second) = (world.url("vetted"), nix.second_store("second"));
    let from = ["copy", "--from", &url, "--to", &second, "--option", "trusted-public-keys"];
    nix.fail("nix", &[&from[..], &[&key("cache.example.org-1", 9).public().to_string(), &path]].concat());
    nix.run("nix", &[&from[..], &[public.trim(), &path]].concat());
}
