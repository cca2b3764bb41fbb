//! A publisher in a world: indexes of a few advisories, published as a security team does.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::fixtures::{item, product};
use crate::world::{Said, World};

/// A day on which something was signed so long ago that nobody may believe it any more.
pub(crate) const LONG_AGO: &str = "2020-01-01";

/// A world with a repository `team` in it and nothing published.
pub(crate) fn publisher() -> World {
    let world = World::empty();
    done(&world.run("feed init --repo team"));
    world
}

/// Builds `NAME.auxdb` from openssl's and so many more advisories, the last of which changes with `edition`.
pub(crate) fn index(world: &World, name: &str, advisories: usize, edition: usize) {
    let mut items = vec![item("CVE-2020-10001", "HHH", &[product("openssl:openssl", Some("1.1.1k"))])];
    for number in 0..advisories {
        let fixed = format!("{}.{number}", if number + 1 == advisories { edition } else { 0 });
        items.push(item(&format!("CVE-2021-{:05}", 20_000 + number), "HNN", &[product("team:thing", Some(&fixed))]));
    }
    let nvd = json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items });
    world.file(&format!("{name}.json"), &nvd.to_string());
    done(&world.run(&format!("feed build --nvd {name}.json --output {name}.auxdb --quiet")));
}

/// Publishes an index of so many advisories; the JSON of what the command said.
pub(crate) fn publish(world: &World, advisories: usize, edition: usize) -> Value {
    index(world, "next", advisories, edition);
    done(&world.run("feed publish next.auxdb --repo team --json")).json()
}

/// The `file://` URL of the published folder.
pub(crate) fn url(world: &World) -> String {
    format!("file://{}", world.path("team/public").display())
}

/// The first sync of a client, from wherever the feed is served.
pub(crate) fn follow(world: &World, url: &str) -> Value {
    let root = world.path("team/public/1.root.json");
    done(&world.run(&format!("feed sync {url} --root {} --json", root.display()))).json()
}

pub(crate) fn sync(world: &World, url: &str) -> Said {
    world.run(&format!("feed sync {url} --json"))
}

pub(crate) fn done(said: &Said) -> &Said {
    assert_eq!(said.code, Some(0), "{}", said.shown());
    said
}

/// What `feed status` says.
pub(crate) fn status(world: &World) -> Value {
    world.run("feed status --json").json()
}

/// Where the client keeps the feed.
pub(crate) const STATE: &str = "home/.local/state/aux/feed";

/// The current index of the client.
pub(crate) fn kept_index(world: &World) -> Vec<u8> {
    fs::read(status(world)["index"].as_str().unwrap().replace("[WORLD]", &world.outside("").display().to_string()))
        .unwrap()
}

/// Copies a folder and what is in it over another.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
