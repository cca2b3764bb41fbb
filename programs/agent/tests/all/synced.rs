//! A published feed, followed by the agent: synced, audited, and believed only while its publisher vouches for it.

use aux_feed::repository::{InitRequest, Lifetimes, PublishRequest, Repository};
use jiff::Timestamp;

use crate::world::World;

/// A repository beside the world, and a configuration that follows it.
fn followed(world: &World) -> Repository {
    let (repository, _keys) = Repository::init(&world.path("publisher"), &InitRequest::new(Timestamp::now())).unwrap();
    let feed = format!(
        "feed_url = \"file://{}\"\nfeed_root = \"{}\"\n",
        repository.public().display(),
        repository.root_path().display()
    );
    world.file("aux.toml", &world.text("aux.toml").replace("feed = \"feed.auxdb\"\n", &feed));
    repository
}

fn publish(world: &World, repository: &Repository, advisories: usize) {
    world.feed(advisories, "");
    let request = PublishRequest {
        index: Some(world.path("feed.auxdb")),
        now: Timestamp::now(),
        lifetimes: Lifetimes::default(),
    };
    repository.publish(&request).unwrap();
}

#[test]
fn a_published_feed_is_followed_and_each_publication_told_once() {
    let world = World::new(1);
    let repository = followed(&world);
    publish(&world, &repository, 1);
    assert_eq!(world.round()["events"].as_array().unwrap().len(), 3);
    publish(&world, &repository, 2);
    let offline = world.run("--once --offline --json");
    let offline: serde_json::Value = serde_json::from_slice(&offline.stdout).unwrap();
    assert!(offline["events"].as_array().unwrap().is_empty(), "{offline}");
    assert_eq!(world.round()["events"].as_array().unwrap().len(), 3);
    assert!(world.round()["events"].as_array().unwrap().is_empty());
}

#[test]
fn a_publisher_that_is_away_is_a_remark_and_the_feed_that_is_here_is_used() {
    let world = World::new(1);
    let repository = followed(&world);
    publish(&world, &repository, 1);
    world.round();
    std::fs::rename(repository.public(), world.path("away")).unwrap();
    world.file("names", "zlib-1.2.11\nsomething-1\n");
    let round = world.round();
    assert_eq!(round["systems"][0]["verdict"], "fail", "{round}");
    assert_eq!(round["remarks"].as_array().unwrap().len(), 1, "{round}");
}

#[test]
fn without_anything_synced_nothing_is_known() {
    let world = World::new(1);
    world.file("aux.toml", &world.text("aux.toml").replace("feed = \"feed.auxdb\"\n", ""));
    let failed = world.run("--once");
    assert_eq!(failed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("set `feed_url` and `feed_root`"));
    assert!(world.text("run/motd").contains("is unknown"), "{}", world.text("run/motd"));
}
