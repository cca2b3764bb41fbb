//! `aux image publish`: a folder, a real OCI registry, and an imgapi that does what its documentation says.

mod imgapi;
mod registry;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::http_server::Answer;
use crate::image_build::{self, BUILD, Entry, IMAGE, files, made, packages, repository};
use crate::image_bump::page;
use crate::world::World;

/// A world with a built image, `out/IMAGE`; `extra` stands on top of its specification.
fn world_with(extra: &str) -> World {
    let world = image_build::world();
    let spec = fs::read_to_string(world.path("spec.toml")).unwrap();
    world.file("spec.toml", &format!("{extra}\n{spec}"));
    let said = world.run(BUILD);
    assert_eq!(said.code, Some(0), "{}", said.shown());
    world
}

/// The same with a layer of more than a megabyte, which no packing makes smaller.
fn world_with_large_layer() -> World {
    let world = image_build::world();
    let mut number = 1_u64;
    let text: String = (0..1_500_000)
        .map(|_| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((number >> 33) % 90).unwrap())
        })
        .collect();
    let mut all = packages();
    all.retain(|package| !package.has_name("curl-7.61.1"));
    all.push(made("curl-7.61.1", &["openssl>=1.0.2"], vec![("bin/curl", Entry::File(0o755, text.leak()))]));
    repository(&world, &all);
    let said = world.run(BUILD);
    assert_eq!(said.code, Some(0), "{}", said.shown());
    world
}

fn publish(to: &str) -> String {
    format!("image publish out/{IMAGE} --to {to} --state state")
}

fn credentials(world: &World, text: &str, mode: u32) {
    world.file("credentials", text);
    fs::set_permissions(world.path("credentials"), fs::Permissions::from_mode(mode)).unwrap();
}

/// An answer that never comes: whoever asked is killed in the meantime.
fn never() -> Answer {
    loop {
        std::thread::park();
    }
}

/// Runs a command until something held it up, and kills it there as a power failure would.
fn killed_when(world: &World, arguments: &str, held: &Receiver<()>) {
    let mut child = world.command(arguments).spawn().unwrap();
    held.recv_timeout(Duration::from_secs(90)).expect("it comes to the place where it is held");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn into_a_folder_it_is_put_whole_and_once() {
    let mut world = world_with("");
    world.show(&format!("{} --dry-run", publish("www")));
    assert!(!world.path("www").exists());
    world.show(&publish("www"));
    assert!(files(&world.path(&format!("www/{IMAGE}"))) == files(&world.path(&format!("out/{IMAGE}"))));
    world.show(&publish("www"));
    world.show(&format!("{} --json", publish("www")));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_page_shows_what_is_written() {
    let world = world_with("");
    assert_eq!(world.run(&format!("{} --json", publish("www"))).json(), page("image-publish"));
}

#[test]
fn a_copy_that_was_interrupted_goes_on_and_a_strange_one_is_thrown_away() {
    let world = world_with("");
    let part = format!("www/.{IMAGE}.part");
    // What a killed run leaves: one file whole, one cut short.
    let tar = fs::read(world.path(&format!("out/{IMAGE}/{IMAGE}.tar.gz"))).unwrap();
    let manifest = fs::read(world.path(&format!("out/{IMAGE}/{IMAGE}.manifest.json"))).unwrap();
    world.bytes(&format!("{part}/{IMAGE}.tar.gz"), &tar[..10]);
    world.bytes(&format!("{part}/{IMAGE}.manifest.json"), &manifest);
    let said = world.run(&format!("{} --json", publish("www"))).json();
    assert_eq!((&said["state"], &said["present_bytes"]), (&"published".into(), &manifest.len().into()));
    assert!(files(&world.path(&format!("www/{IMAGE}"))) == files(&world.path(&format!("out/{IMAGE}"))));
    assert!(!world.path(&part).exists());
    fs::remove_dir_all(world.path(&format!("www/{IMAGE}"))).unwrap();
    world.file(&format!("{part}/of-another"), "x");
    assert_eq!(world.run(&publish("www")).code, Some(0));
    assert!(files(&world.path(&format!("www/{IMAGE}"))) == files(&world.path(&format!("out/{IMAGE}"))));
}

#[test]
fn killed_while_it_copies_there_is_no_image_or_a_whole_one() {
    let world = world_with_large_layer();
    let (part, place) = (world.path(&format!("www/.{IMAGE}.part")), world.path(&format!("www/{IMAGE}")));
    let built = files(&world.path(&format!("out/{IMAGE}")));
    // Each time a little later: as soon as so many files stand beside its place.
    for count in 0..6 {
        let mut child = world.command(&publish("www")).stdout(std::process::Stdio::null()).spawn().unwrap();
        let is_far = || fs::read_dir(&part).is_ok_and(|entries| entries.count() >= count) || place.exists();
        while !is_far() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        drop(child.kill());
        child.wait().unwrap();
        assert!(!place.exists() || files(&place) == built, "{count}");
    }
    let said = world.run(&publish("www"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert!(files(&place) == built && !part.exists());
}

#[test]
fn what_is_no_whole_image_or_would_replace_one_is_refused() {
    let mut world = world_with("");
    world.run(&publish("www"));
    let changed = format!("www/{IMAGE}/{IMAGE}.pkgs.json");
    world.file(&changed, "{}");
    world.show(&publish("www"));
    assert_eq!(fs::read_to_string(world.path(&changed)).unwrap(), "{}");
    let tar = format!("out/{IMAGE}/{IMAGE}.tar.gz");
    let mut bytes = fs::read(world.path(&tar)).unwrap();
    bytes[40] ^= 1;
    let sound = fs::read(world.path(&tar)).unwrap();
    world.bytes(&tar, &bytes);
    world.show(&publish("elsewhere"));
    world.bytes(&tar, &sound);
    let blobs = files(&world.path(&format!("out/{IMAGE}/oci/blobs/sha256")));
    let (name, blob) = blobs.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    world.bytes(&format!("out/{IMAGE}/oci/blobs/sha256/{name}"), &blob[..blob.len() - 1]);
    let said = world.run(&publish("elsewhere"));
    assert!(said.code == Some(2) && said.stderr.contains("was changed since it was built"), "{}", said.shown());
    world.bytes(&format!("out/{IMAGE}/oci/blobs/sha256/{name}"), blob);
    assert!(!world.path("elsewhere").exists());
    for (image, to) in [
        ("nothing", "www"),
        ("packages", "www"),
        ("spec.toml", "www"),
        (&*format!("out/{IMAGE}"), "https://h/a"),
        (&*format!("out/{IMAGE}"), "oci:https://h/A"),
        (&*format!("out/{IMAGE}"), "imgapi:https://a:secret@h"),
        (&*format!("out/{IMAGE}"), "oci:http://10.0.0.1/a"),
        (&*format!("out/{IMAGE}"), "spec.toml"),
    ] {
        let said = world.show(&format!("image publish {image} --to {to}"));
        assert!(said.code == Some(2) && !said.shown().contains("secret"), "{}", said.shown());
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_images_below_must_be_in_the_channel_and_that_is_checked_before_anything_is_sent() {
    const ORIGIN: &str = "c2c31b00-1d60-11e9-9a77-ff9f06554b0f";
    let mut world = world_with(&format!("origin = \"{ORIGIN}\"\nchannel = \"release\""));
    world.show(&publish("www"));
    for channels in ["\"dev\"", "\"dev\", \"release\""] {
        let catalog = format!(
            "[[images]]\nname = \"minimal\"\nversion = \"18.4.0\"\nuuid = \"{ORIGIN}\"\nchannels = [{channels}]\n"
        );
        world.file("catalog.toml", &catalog);
        world.show(&format!("{} --catalog catalog.toml", publish("www")));
    }
    world.show(&format!("{} --catalog catalog.toml --channel Release", publish("other")));
    assert!(!world.path("other").exists());
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn credentials_lie_in_a_closed_file() {
    let mut world = world_with("");
    credentials(&world, "team:hunter2", 0o644);
    world.show(&format!("{} --credentials credentials", publish("oci:http://127.0.0.1:1/a")));
    credentials(&world, "", 0o600);
    world.show(&format!("{} --credentials credentials", publish("oci:http://127.0.0.1:1/a")));
    world.show(&format!("{} --credentials nothing", publish("oci:http://127.0.0.1:1/a")));
    assert!(!world.transcript().contains("hunter2"));
    insta::assert_snapshot!(world.transcript());
}
