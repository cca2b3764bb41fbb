//! NARs and records on their way from a data folder to a bucket and a database, and back, with servers before and after.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aux_cache::{BucketSettings, Keep, Move, MoveError, MoveStep, Moved, Place, REGION, Way, migrate};
use serde_json::json;

use crate::apart::{Site, is_clean, noise, reads};
use crate::bucket::{AWAY, CUT, WELL, Way as Road};
use crate::pushing::Made;
use crate::several::{narinfo, records_wish};
use crate::world::World;

/// NARs kept in every way, and a view of them.
struct Pushed {
    made: Vec<Made>,
    token: String,
}

impl Pushed {
    fn to(world: &World) -> Self {
        let token = world.token("*", &["push", "read", "promote"]);
        let library = Made::new("library-1.0", &noise(1, 3 << 20)).in_zstd();
        // It shares most of its chunks with the first.
        let twin = Made::new("library-1.1", &format!("{}more", noise(1, 3 << 20))).in_zstd();
        let program = Made::new("program-1.0", "p").needs(&library).in_brotli();
        let made = vec![library, twin, program];
        for made in &made {
            made.push(world, &token);
        }
        let promoted = world.api("POST", "views/vetted/promote", &json!({ "paths": [made[2].base] }));
        assert_eq!(promoted["outcome"], "promoted");
        Self { made, token }
    }

    /// All is served as before.
    fn are_at(&self, world: &World) {
        for made in &self.made {
            assert_eq!(narinfo(world, "staging", made, &self.token), 200);
            assert!(reads(world, "staging", made, &self.token), "{}", world.log());
        }
        assert!(reads(world, "vetted", &self.made[0], &self.token));
        assert!(is_clean(world));
    }
}

fn bucket(site: &Site, endpoint: &str) -> BucketSettings {
    let credentials = site.folder.path().join("credentials");
    BucketSettings::new("s3://bucket/team", Some(endpoint), REGION, &credentials).unwrap()
}

/// The wish that NARs are moved, and records too where a way is named for them.
fn wish(site: &Site, world: &World, nars: Way, records: Option<Way>) -> Move {
    let place = Place::parse(&site.records, None).unwrap();
    Move {
        bucket: Some(bucket(site, &site.store.endpoint())),
        nars: Some(nars),
        records,
        place: Some(place.clone()).filter(|_| records.is_some()),
        store_directory: world.store().display().to_string(),
        ..records_wish(&world.path("data"), &place, Way::Out)
    }
}

/// Moves, broken off after every step there is and begun again.
fn move_in_pieces(wish: &Move, mut between: impl FnMut()) -> Moved {
    for until in 0.. {
        let mut steps = 0;
        let moved = catch_unwind(AssertUnwindSafe(|| {
            migrate(wish, &mut |_| {
                assert!(steps < until, "it ends here");
                steps += 1;
            })
        }));
        match moved {
            Ok(moved) => return moved.unwrap(),
            Err(_) => between(),
        }
    }
    unreachable!()
}

/// What a move that ends at any step leaves is whole where it was.
#[test]
fn nars_are_carried_to_a_bucket_and_back_however_often_it_is_broken_off() {
    let Some(site) = Site::new() else { return };
    let mut world = World::new();
    let pushed = Pushed::to(&world);
    assert!(matches!(migrate(&wish(&site, &world, Way::Out, None), &mut |_| {}), Err(MoveError::FolderInUse { .. })));
    world.kill();
    let dry = migrate(&Move { is_dry: true, ..wish(&site, &world, Way::Out, None) }, &mut |_| {}).unwrap();
    assert!(dry.carried.as_ref().is_some_and(|carried| carried.nars == 3), "{dry:?}");
    assert!(site.store.keys().is_empty());
    std::panic::set_hook(Box::new(|_| {}));
    let out = wish(&site, &world, Way::Out, None);
    // The server still finds all where it was.
    let moved = move_in_pieces(&out, || {
        world.start(&[]);
        pushed.are_at(&world);
        world.kill();
    });
    drop(std::panic::take_hook());
    let carried = moved.carried.unwrap();
    assert_eq!((carried.nars + carried.nars_before, &*carried.to), (3, "s3://bucket/team/"));
    assert_eq!(site.store.keys().len(), 4);
    let aside = carried.aside.unwrap();
    assert!(aside.join("objects").is_dir() && aside.join("packs").is_dir());
    fs::remove_dir_all(aside).unwrap();
    assert!(world.refused(&[]).contains("the NARs of these records are in s3://bucket/team/"));
    let arguments = site.arguments();
    let arguments: Vec<&str> = arguments[2..].iter().map(String::as_str).collect();
    world.start(&arguments);
    pushed.are_at(&world);
    let more = Made::new("more-1.0", &noise(9, 20 << 20));
    more.push(&world, &pushed.token);
    world.kill();
    std::panic::set_hook(Box::new(|_| {}));
    let back = Move { keep: Keep::Chunks, ..wish(&site, &world, Way::Back, None) };
    let moved = move_in_pieces(&back, || {});
    drop(std::panic::take_hook());
    assert_eq!(moved.nars, 4);
    // The server asks nothing of the bucket any more.
    drop(site);
    world.start(&[]);
    pushed.are_at(&world);
    assert!(reads(&world, "staging", &more, &pushed.token));
    let packs = fs::read_dir(world.path("data/packs")).unwrap().count();
    assert_eq!(packs, 1, "what came out of chunks is in chunks again");
}

#[test]
fn nars_are_in_chunks_in_the_bucket_too_where_that_is_asked_for() {
    let Some(site) = Site::new() else { return };
    let mut world = World::new();
    let pushed = Pushed::to(&world);
    world.kill();
    let both = |way| Move { keep: Keep::Chunks, ..wish(&site, &world, way, Some(way)) };
    std::panic::set_hook(Box::new(|_| {}));
    move_in_pieces(&both(Way::Out), || {});
    drop(std::panic::take_hook());
    let keys = site.store.keys();
    let nars = keys.iter().filter(|key| !key.contains("/packs/") && !key.ends_with("records")).count();
    assert_eq!(nars, 1, "only what came without packing is whole: {keys:?}");
    let arguments = site.keeping("chunks");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    world.start(&arguments);
    let other = World::elsewhere(&world, &arguments);
    pushed.are_at(&world);
    pushed.are_at(&other);
    let stored = || world.api("GET", "status", &json!({}))["stored_bytes"].as_u64().unwrap();
    let before = stored();
    // It has nothing new but its end.
    let third = Made::new("library-1.2", &format!("{}again", noise(1, 3 << 20))).in_zstd();
    third.push(&other, &pushed.token);
    assert!(stored() - before < 2 << 20, "{before} {}", stored());
    drop(other);
    world.kill();
    let both = Move { keep: Keep::Chunks, ..wish(&site, &world, Way::Back, Some(Way::Back)) };
    std::panic::set_hook(Box::new(|_| {}));
    move_in_pieces(&both, || {});
    drop(std::panic::take_hook());
    drop(site);
    world.start(&[]);
    pushed.are_at(&world);
    assert!(reads(&world, "staging", &third, &pushed.token));
    assert_eq!(fs::read_dir(world.path("data/packs")).unwrap().count(), 1);
}

#[test]
fn what_several_servers_have_in_chunks_in_one_folder_goes_to_a_bucket_and_back() {
    let Some(site) = Site::new() else { return };
    let folder = ["--records", &site.records, "--keep", "chunks"];
    let mut world = World::with(&folder);
    let pushed = Pushed::to(&world);
    world.kill();
    let place = Place::parse(&site.records, None).unwrap();
    let carry = |world: &World, way| {
        let wish = Move { place: Some(place.clone()), keep: Keep::Chunks, ..wish(&site, world, way, None) };
        std::panic::set_hook(Box::new(|_| {}));
        let moved = move_in_pieces(&wish, || {});
        drop(std::panic::take_hook());
        moved.carried.unwrap()
    };
    let aside = carry(&world, Way::Out).aside.unwrap();
    assert!(aside.join("sealed").is_dir() && !world.path("data/sealed").exists());
    fs::remove_dir_all(aside).unwrap();
    let bucket = site.keeping("chunks");
    world.start(&bucket.iter().map(String::as_str).collect::<Vec<_>>());
    pushed.are_at(&world);
    world.kill();
    carry(&world, Way::Back);
    world.start(&folder);
    pushed.are_at(&world);
    assert!(fs::read_dir(world.path("data/sealed")).unwrap().count() > 0);
}

#[test]
fn records_and_nars_move_in_one_go_to_several_servers_and_back() {
    let Some(site) = Site::new() else { return };
    let mut world = World::new();
    let pushed = Pushed::to(&world);
    world.kill();
    let out = wish(&site, &world, Way::Out, Some(Way::Out));
    std::panic::set_hook(Box::new(|_| {}));
    move_in_pieces(&out, || {});
    drop(std::panic::take_hook());
    assert!(matches!(migrate(&out, &mut |_| {}), Err(MoveError::Gone { .. })));
    let arguments = site.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    world.start(&arguments);
    let other = World::elsewhere(&world, &arguments);
    pushed.are_at(&world);
    pushed.are_at(&other);
    let busy = migrate(&wish(&site, &world, Way::Back, Some(Way::Back)), &mut |_| {});
    assert!(matches!(busy, Err(MoveError::FolderInUse { .. })), "{busy:?}");
    world.kill();
    let busy = migrate(&wish(&site, &world, Way::Back, Some(Way::Back)), &mut |_| {});
    assert!(matches!(busy, Err(MoveError::DatabaseInUse { .. })), "the other still runs: {busy:?}");
    drop(other);
    // Records alone, while NARs are in the bucket, want to know which.
    let place = Place::parse(&site.records, None).unwrap();
    let blind = migrate(&records_wish(&world.path("data"), &place, Way::Back), &mut |_| {});
    assert!(matches!(blind, Err(MoveError::InBucket { .. })), "{blind:?}");
    std::panic::set_hook(Box::new(|_| {}));
    move_in_pieces(&wish(&site, &world, Way::Back, Some(Way::Back)), || {});
    drop(std::panic::take_hook());
    drop(site);
    world.start(&[]);
    pushed.are_at(&world);
}

#[test]
fn a_bucket_that_fails_on_the_way_ends_the_move_and_is_not_taken_for_damage() {
    let Some(site) = Site::new() else { return };
    let mut world = World::new();
    let pushed = Pushed::to(&world);
    world.kill();
    let road = Road::to(&site.store);
    let through = |nars| Move {
        bucket: Some(bucket(&site, &format!("http://{}", road.address))),
        ..wish(&site, &world, nars, None)
    };
    // What is answered to a put is too short to be cut.
    for (way, modes) in [(Way::Out, &[AWAY][..]), (Way::Back, &[AWAY, CUT])] {
        for mode in modes.iter().copied() {
            let moved = migrate(&through(way), &mut |step| {
                if step == MoveStep::Carried {
                    road.behave(mode);
                }
            });
            assert!(matches!(moved, Err(MoveError::Object(_))), "{moved:?}");
            road.behave(WELL);
        }
        migrate(&through(way), &mut |_| {}).unwrap();
    }
    // What is damaged is told, and all else comes along; the records still say where NARs are whole.
    let key = site.store.keys().into_iter().find(|key| key.ends_with("nar")).unwrap();
    let stay = migrate(&through(Way::Out), &mut |_| {}).unwrap();
    assert_eq!(stay.carried.unwrap().nars, 0);
    let gone = site.store.ask(&format!("DELETE /bucket/{key}"));
    assert!(gone.starts_with("HTTP/1.1 204"), "{gone}");
    let damaged = migrate(&through(Way::Back), &mut |_| {});
    assert!(matches!(damaged, Err(MoveError::Nars { wrong: 1, .. })), "{damaged:?}");
    fs::remove_dir_all(world.path("data/objects")).unwrap();
    fs::rename(world.path("data/moved-1/objects"), world.path("data/objects")).unwrap();
    migrate(&through(Way::Back), &mut |_| {}).unwrap();
    world.start(&[]);
    pushed.are_at(&world);
}
