//! Several servers on one store: a real `PostgreSQL`, one data folder, and whatever happens to either.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aux_cache::{Keep, Move, MoveError, Place, Way, migrate};
use aux_io::http::HttpOptions;
use aux_nix::Sha256;
use serde_json::json;

use crate::apart::{is_clean, noise, reads};
use crate::postgres::Postgres;
use crate::pushing::Made;
use crate::world::World;

/// What one server does is true at the other within two seconds; a machine that is busy otherwise has more.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it did not come true: {what}");
        thread::yield_now();
    }
}

/// Two servers on one database and one data folder.
fn two(cluster: &Postgres) -> (World, World) {
    let address = cluster.database();
    let one = World::with(&["--records", &address]);
    let other = one.sharing(&["--records", &address]);
    assert_eq!(one.public_key, other.public_key);
    (one, other)
}

/// The wish that records are moved and NARs stay.
pub(crate) fn records_wish(data: &Path, place: &Place, way: Way) -> Move {
    Move {
        data: data.to_path_buf(),
        place: Some(place.clone()),
        records: Some(way),
        bucket: None,
        nars: None,
        keep: Keep::Whole,
        store_directory: "/nix/store".to_owned(),
        http: HttpOptions::new("aux/test"),
        random: Box::new(|| Some([7; 32])),
        is_dry: false,
    }
}

pub(crate) fn narinfo(world: &World, space: &str, made: &Made, token: &str) -> u16 {
    world.ask(&format!("GET /{space}/{}.narinfo", made.hash), token, b"").status
}

#[test]
fn what_is_done_at_one_server_is_true_at_the_other() {
    let Some(cluster) = Postgres::new() else { return };
    let (one, other) = two(&cluster);
    let token = one.token("*", &["push", "promote"]);
    let library = Made::new("library-1.0", "l");
    let program = Made::new("program-1.0", "p").needs(&library);
    library.push(&one, &token);
    // The other knows at once what a push needs: it looks before it commits.
    eventually("the token is known", || narinfo(&other, "staging", &library, &token) == 200);
    program.push(&other, &token);
    eventually("both are at the first", || narinfo(&one, "staging", &program, &token) == 200);
    let promoted = one.api("POST", "views/vetted/promote", &json!({ "paths": [program.base] }));
    assert_eq!(promoted["outcome"], "promoted");
    eventually("the view is at the other", || narinfo(&other, "vetted", &program, &token) == 200);
    let nar = other.ask(&format!("GET /vetted/{}", program.nar_url()), &token, b"");
    assert_eq!((nar.status, Sha256::of(&nar.body)), (200, Sha256::of(&program.nar)));
    // A use at one of them is known to all once it is written down, as a question about it does.
    let used = |world: &World| world.api("GET", &format!("caches/staging/why/{}", program.hash), &json!({}));
    let day = used(&other)["used"].clone();
    assert!(day.is_string() && used(&one)["used"] == day);
    other.api("POST", "caches/vetted/withdraw", &json!({ "path": library.base, "reason": "a test" }));
    eventually("it is withdrawn at the first", || narinfo(&one, "vetted", &program, &token) == 404);
    one.api("POST", "caches/vetted/restore", &json!({ "path": library.base, "reason": "a test" }));
    other.api("POST", "views/vetted/rollback", &json!({ "to": 0, "reason": "a test" }));
    eventually("it is gone at the first", || narinfo(&one, "vetted", &program, &token) == 404);
    other.api("POST", "caches", &json!({ "name": "third", "anonymous": true }));
    eventually("a new cache is there", || one.ask("GET /third/nix-cache-info", "", b"").status == 200);
    let editions = |world: &World| world.api("GET", "views/vetted?editions=1", &json!({}))["edition"].clone();
    assert_eq!((editions(&one), editions(&other)), (json!(2), json!(2)));
}

#[test]
fn several_servers_write_chunks_into_one_folder() {
    let Some(cluster) = Postgres::new() else { return };
    let address = cluster.database();
    let keep = ["--records", &address, "--keep", "chunks"];
    let mut one = World::with(&keep);
    let other = one.sharing(&keep);
    let token = one.token("*", &["push", "read"]);
    eventually("the token is known", || other.ask("GET /staging/nix-cache-info", &token, b"").status == 200);
    let text = noise(5, 3 << 20);
    let made: Vec<Made> = (0..6).map(|number| Made::new("path-1.0", &format!("{text}{number}")).in_zstd()).collect();
    thread::scope(|scope| {
        for (number, made) in made.iter().enumerate() {
            let (world, token) = (if number % 2 == 0 { &one } else { &other }, &token);
            scope.spawn(move || made.push(world, token));
        }
    });
    let stored = || one.api("GET", "status", &json!({}))["stored_bytes"].as_u64().unwrap();
    // They were pushed at once, so that some chunks are there more than once; the next finds all but its last.
    let before = stored();
    let next = Made::new("path-1.0", &format!("{text}next")).in_zstd();
    next.push(&other, &token);
    assert!(stored() - before < 3 << 20, "{before} {}", stored());
    let holds = |world: &World, made: &Made| {
        eventually("it is known", || narinfo(world, "staging", made, &token) == 200);
        reads(world, "staging", made, &token)
    };
    assert!(made.iter().chain([&next]).all(|made| holds(&one, made) && holds(&other, made)));
    one.api("PUT", "caches/staging/pins/kept", &json!({ "path": next.base }));
    let gone = made.iter().map(|made| made.base.clone()).collect::<Vec<_>>();
    assert_eq!(other.api("POST", "gc", &json!({ "older_than_seconds": 0 }))["objects"], gone.len());
    assert!(holds(&one, &next) && holds(&other, &next) && is_clean(&one) && is_clean(&other));
    // With the folder to itself, and the records in it, a server serves what several wrote.
    one.kill();
    drop(other);
    let place = Place::parse(&address, None).unwrap();
    migrate(&records_wish(&one.path("data"), &place, Way::Back), &mut |_| {}).unwrap();
    drop(cluster);
    one.start(&[]);
    assert!(reads(&one, "staging", &next, &token) && is_clean(&one));
}

#[test]
fn a_token_that_one_server_revoked_opens_nothing_at_the_other() {
    let Some(cluster) = Postgres::new() else { return };
    let (one, other) = two(&cluster);
    let made = one.api("POST", "tokens", &json!({ "label": "x", "cache": "*", "rights": ["push", "admin"] }));
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let path = Made::new("path-1.0", "p");
    eventually("the token is known", || other.ask("GET /staging/nix-cache-info", token, b"").status == 200);
    assert_eq!(path.put_nar(&other, token).status, 201);
    one.api("DELETE", &format!("tokens/{id}"), &json!({}));
    // What changes something asks the records first, and so is refused without any delay.
    assert_eq!(path.put_narinfo(&other, token, &path.narinfo(&other)).status, 401);
    assert_eq!(other.ask("POST /-/api/1/gc", token, b"{}").status, 401);
    assert_eq!(other.ask("GET /-/api/1/trail", token, b"").status, 401);
    eventually("reading is refused too", || other.ask("GET /staging/nix-cache-info", token, b"").status == 401);
}

#[test]
fn collection_at_one_server_takes_nothing_that_the_other_is_committing() {
    let Some(cluster) = Postgres::new() else { return };
    let (one, other) = two(&cluster);
    let token = one.token("*", &["push"]);
    eventually("the token is known", || other.ask("GET /staging/nix-cache-info", &token, b"").status == 200);
    let is_done = AtomicBool::new(false);
    // All have one of few NARs, so that every push meets a NAR that is being removed, or was just now.
    let push = |world: &World, round: usize| {
        let made = Made::new(&format!("path-{round}"), &format!("text {}", round % 3));
        let put = made.put_nar(world, &token).status;
        assert_eq!(put, 201, "{}", world.log());
        // Between the two the NAR may have been collected, which is said, and the push is begun anew.
        let status = made.put_narinfo(world, &token, &made.narinfo(world)).status;
        assert!([201, 422].contains(&status), "{status}");
        (status == 201).then_some(made)
    };
    let pushed: Vec<Made> = thread::scope(|scope| {
        let pushing: Vec<_> = [&one, &other, &other]
            .into_iter()
            .enumerate()
            .map(|(number, world)| {
                scope.spawn(move || (0..40).filter_map(|round| push(world, round * 3 + number)).collect::<Vec<_>>())
            })
            .collect();
        let collecting = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // Everything that no pin keeps goes at once: an age of less than nothing would be refused.
                one.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
                other.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
            }
        });
        let pushed = pushing.into_iter().flat_map(|one| one.join().unwrap()).collect();
        is_done.store(true, Ordering::Relaxed);
        collecting.join().unwrap();
        pushed
    });
    assert!(!pushed.is_empty());
    for world in [&one, &other] {
        let checked = world.api("POST", "fsck", &json!({}));
        assert_eq!((&checked["clean"], &checked["leftovers"]), (&json!(true), &json!(0)), "{checked}");
        // What either serves is whole.
        for made in &pushed {
            let nar = world.ask(&format!("GET /staging/{}", made.nar_url()), &token, b"");
            assert!(nar.status != 200 || nar.body == made.nar);
        }
    }
}

#[test]
fn without_its_database_a_server_serves_what_it_knows_and_says_when_to_come_again() {
    let Some(mut cluster) = Postgres::new() else { return };
    let (one, other) = two(&cluster);
    let token = one.token("*", &["push"]);
    let (kept, later) = (Made::new("kept-1.0", "k"), Made::new("later-1.0", "l"));
    kept.push(&one, &token);
    eventually("both have it", || narinfo(&other, "staging", &kept, &token) == 200);
    cluster.stop();
    for world in [&one, &other] {
        assert_eq!(narinfo(world, "staging", &kept, &token), 200);
        let nar = world.ask(&format!("GET /staging/{}", kept.nar_url()), &token, b"");
        assert_eq!((nar.status, Sha256::of(&nar.body)), (200, Sha256::of(&kept.nar)));
        assert_eq!(narinfo(world, "staging", &later, &token), 404);
        let refused = later.put_nar(world, &token);
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
        let refused = world.ask("POST /-/api/1/gc", &world.admin, b"{}");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
        assert_eq!(
            (&refused.json()["schema"], &refused.json()["error"], &refused.json()["detail"]),
            (&json!("aux.error/1"), &json!("away"), &json!(null))
        );
        assert_eq!(world.ask("GET /-/health", "", b"").status, 503, "whoever shares the load goes elsewhere");
    }
    cluster.start();
    eventually("the first takes again", || later.put_nar(&one, &token).status == 201);
    eventually("the other takes again", || later.put_narinfo(&other, &token, &later.narinfo(&other)).status == 201);
    eventually("and they hear of each other again", || narinfo(&one, "staging", &later, &token) == 200);
    assert_eq!(one.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_server_that_fits_not_to_its_store_does_not_start() {
    let Some(cluster) = Postgres::new() else { return };
    let address = cluster.database();
    let mut world = World::with(&["--records", &address]);
    let refused = |world: &World, arguments: &[&str]| {
        let output = world.refused(arguments);
        assert!(!output.contains("secret"), "{output}");
        output
    };
    assert!(refused(&world, &[]).contains("another aux-server is using this folder"), "not as the only one meanwhile");
    let elsewhere = World::prepared();
    let told = refused(&elsewhere, &["--records", &address]);
    assert!(told.contains("there is no signing key, and the servers of postgres"), "{told}");
    std::fs::remove_dir_all(elsewhere.path("data")).unwrap();
    let mut own = World::prepared();
    own.start(&[]);
    own.kill();
    let told = refused(&own, &["--records", &address]);
    assert!(told.contains("has records of its own in cache.sqlite"), "{told}");
    let mut other = World::prepared();
    std::fs::create_dir(other.path("data")).unwrap();
    std::fs::rename(own.path("data/signing-key"), other.path("data/signing-key")).unwrap();
    let told = refused(&other, &["--records", &address]);
    assert!(told.contains("holds other keys than"), "{told}");
    // Once no other server runs, its keys are the new ones.
    world.kill();
    for name in ["admin-token", "records"] {
        std::fs::copy(world.path("data").join(name), other.path("data").join(name)).unwrap();
    }
    other.start(&["--records", &address]);
    assert_ne!(world.public_key, other.public_key);
    let file = own.path("password");
    aux_io::file::replace(&file, b"secret\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for (arguments, expected) in [
        (vec!["--records", "postgres://aux:secret@localhost/x"], "holds a password, which everybody"),
        (vec!["--records", "postgres://aux@db.example/x?sslmode=disable"], "asks for db.example without encryption"),
        (
            vec!["--records", "postgres://aux@localhost/x?hostaddr=192.0.2.1&sslmode=disable"],
            "asks for 192.0.2.1 without",
        ),
        (vec!["--records", "postgres://aux@db.example/x?sslmode=require"], "sslmode=require: is not known here"),
        (vec!["--records", "postgres:///x?host=/run&user=aux&sslmode=verify-full"], "asks for encryption on a socket"),
        (vec!["--records", "postgres://aux@localhost/x?sslrootcert=/nowhere"], "sslrootcert=/nowhere: "),
        (vec!["--records", "mysql://aux@localhost/x"], "does not begin with postgres://"),
        (vec!["--records", "postgres:///x?colour=1"], "is no address of a database"),
        (vec!["--records", &address, "--records-password-file", file.to_str().unwrap()], "others may read this file"),
        (vec!["--records", "postgres:///x?host=/nowhere&user=aux"], "the database cannot be reached"),
    ] {
        let told = refused(&own, &arguments);
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    cluster.sql("postgres", "CREATE DATABASE newer");
    cluster.sql("newer", "CREATE SCHEMA aux_cache; CREATE TABLE aux_cache.version AS SELECT 99::bigint AS number");
    let told = refused(&own, &["--records", &cluster.address("newer")]);
    assert!(told.contains("version 99, this one knows up to"), "{told}");
    cluster.sql("postgres", "CREATE DATABASE theirs");
    cluster.sql("theirs", "CREATE SCHEMA aux_cache CREATE TABLE thing (x int)");
    let told = refused(&own, &["--records", &cluster.address("theirs")]);
    assert!(told.contains("is of something else"), "{told}");
}

#[test]
fn a_password_comes_from_a_file_and_stands_in_no_message() {
    let Some(cluster) = Postgres::new() else { return };
    let address = cluster.database();
    cluster.want_password("hunter2");
    let mut world = World::prepared();
    let file = world.path("password");
    let write = |text: &[u8]| {
        aux_io::file::replace(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    let arguments = ["--records", &address, "--records-password-file", file.to_str().unwrap()];
    assert!(world.refused(&arguments[..2]).contains("password missing"));
    for (text, expected) in [
        (&b"wrong hunter2\n"[..], "the database does not let this user in"),
        (b"", "its first line is empty"),
        (b"\n", "its first line is empty"),
    ] {
        write(text);
        let told = world.refused(&arguments);
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told}");
    }
    write(b"hunter2\n");
    world.start(&arguments);
    assert!(!world.log().contains("hunter2"));
}

#[test]
fn a_database_on_another_machine_proves_its_name_and_nobody_listens() {
    let Some(mut cluster) = Postgres::new() else { return };
    cluster.database();
    let port = cluster.speak_tls();
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/tls");
    let address = |host: &str, authority: &str| format!("postgres://aux@{host}:{port}/cache1?sslrootcert={authority}");
    let right = format!("{tls}/authority.pem");
    let mut world = World::prepared();
    for (records, expected) in [
        (format!("postgres://aux@localhost:{port}/cache1"), "no pg_hba.conf entry"),
        (address("localhost", &format!("{tls}/server.pem")), "certificate"),
        (format!("postgres://aux@localhost:{port}/cache1?sslmode=verify-full"), "certificate"),
        // It is there, and says that it is another.
        (format!("{}&hostaddr=127.0.0.1", address("db.example", &right)), "not valid for name"),
        (address("localhost", &format!("{tls}/server.key")), "holds no certificate in PEM"),
    ] {
        let told = world.refused(&["--records", &records]);
        assert!(told.contains(expected), "{records}: {told}");
    }
    for host in ["localhost", "127.0.0.1"] {
        world.start(&["--records", &address(host, &right)]);
        let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'aux-server' AND NOT ssl";
        assert_eq!(cluster.sql("postgres", plain).trim(), "0");
        let all = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'aux-server'";
        assert_eq!(cluster.sql("postgres", all).trim(), "t");
        Made::new("path-1.0", host).push(&world, &world.token("*", &["push"]));
        world.kill();
    }
    // The database away and back again is told from one that is another.
    world.start(&["--records", &address("localhost", &right)]);
    let token = world.token("*", &["push"]);
    cluster.stop();
    let later = Made::new("later-1.0", "l");
    assert_eq!(later.put_nar(&world, &token).status, 503);
    cluster.start();
    eventually("it takes again", || later.put_nar(&world, &token).status == 201);
}

#[test]
fn records_are_moved_to_a_database_and_back_however_often_the_move_is_broken_off() {
    let Some(cluster) = Postgres::new() else { return };
    let mut world = World::new();
    let token = world.token("*", &["push", "promote"]);
    let library = Made::new("library-1.0", "l");
    let program = Made::new("program-1.0", "p").needs(&library);
    for made in [&library, &program] {
        made.push(&world, &token);
    }
    world.api("POST", "views/vetted/promote", &json!({ "paths": [program.base] }));
    world.api("PUT", "caches/staging/pins/release", &json!({ "path": program.base }));
    let address = cluster.database();
    let place = Place::parse(&address, None).unwrap();
    let data = world.path("data");
    let wish = |way| records_wish(&data, &place, way);
    let (out, back) = (wish(Way::Out), wish(Way::Back));
    assert!(matches!(migrate(&out, &mut |_| {}), Err(MoveError::FolderInUse { .. })));
    world.kill();
    let dry = migrate(&Move { is_dry: true, ..wish(Way::Out) }, &mut |_| {}).unwrap();
    for until in (0..).step_by(3) {
        let mut steps = 0;
        std::panic::set_hook(Box::new(|_| {}));
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            migrate(&out, &mut |_| {
                assert!(steps < until, "it ends here");
                steps += 1;
            })
        }));
        drop(std::panic::take_hook());
        match broken {
            Err(_) => {
                let told = world.refused(&["--records", &address]);
                assert!(
                    told.contains("was broken off") || told.contains("has records of its own in cache.sqlite"),
                    "{told}"
                );
            }
            Ok(moved) => {
                assert_eq!(moved.unwrap(), dry);
                break;
            }
        }
    }
    assert!(dry.tables.contains(&("path", 2)) && dry.nars == 2, "{dry:?}");
    assert!(world.refused(&[]).contains("the records were moved to postgres"));
    assert!(matches!(migrate(&out, &mut |_| {}), Err(MoveError::Gone { .. })));
    world.start(&["--records", &address]);
    let more = Made::new("more-1.0", "m").needs(&program);
    let holds = |world: &World, made: &[&Made]| {
        for made in made {
            assert_eq!(narinfo(world, "staging", made, &token), 200);
        }
        assert_eq!(narinfo(world, "vetted", &program, &token), 200);
        assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
        assert_eq!(world.api("GET", "caches/staging/pins", &json!({}))["pins"][0]["name"], "release");
    };
    holds(&world, &[&library, &program]);
    more.push(&world, &token);
    assert!(matches!(migrate(&back, &mut |_| {}), Err(MoveError::FolderInUse { .. })));
    world.kill();
    assert!(world.refused(&[]).contains("the records of this folder are in a database"));
    let empty = cluster.database();
    assert!(
        world.refused(&["--records", &empty]).contains("belong to other records than those in"),
        "nor in any other"
    );
    migrate(&back, &mut |_| {}).unwrap();
    world.start(&[]);
    holds(&world, &[&library, &program, &more]);
    world.kill();
    assert!(world.refused(&["--records", &address]).contains("has records of its own in cache.sqlite"));
}

#[test]
fn a_nar_that_is_damaged_is_noticed_before_any_record_is_moved() {
    let Some(cluster) = Postgres::new() else { return };
    let mut world = World::new();
    let more = Made::new("more-1.0", "m");
    more.push(&world, &world.token("*", &["push"]));
    world.kill();
    let name = more.nar_url().strip_prefix("nar/").unwrap().to_owned();
    let file = world.path("data/objects").join(&name[..2]).join(name);
    aux_io::file::replace(&file, b"no NAR").unwrap();
    let place = Place::parse(&cluster.database(), None).unwrap();
    let wish = records_wish(&world.path("data"), &place, Way::Out);
    let damaged = migrate(&wish, &mut |_| {});
    assert!(matches!(damaged, Err(MoveError::Nars { wrong: 1, .. })), "{damaged:?}");
    world.start(&[]);
}
