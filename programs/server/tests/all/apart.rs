//! Two servers as on two machines: a data folder each, and between them one real `PostgreSQL` and one bucket of a real S3
//! server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use aux_nix::Sha256;
use serde_json::json;

use crate::moto::{CREDENTIALS, Moto};
use crate::postgres::Postgres;
use crate::pushing::Made;
use crate::several::{eventually, narinfo};
use crate::world::World;

/// Times that one of two servers is killed.
const KILLS: u32 = 6;

/// A database and a bucket.
pub(crate) struct Site {
    pub(crate) records: String,
    pub(crate) store: Moto,
    pub(crate) cluster: Postgres,
    pub(crate) folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Option<Self> {
        let (store, cluster) = (Moto::new()?, Postgres::new()?);
        let folder = tempfile::tempdir().unwrap();
        aux_io::file::create_private(folder.path().join("credentials"), CREDENTIALS).unwrap();
        Some(Self { records: cluster.database(), store, cluster, folder })
    }

    /// What a server is started with.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let credentials = self.folder.path().join("credentials").display().to_string();
        let words = ["--records", &self.records, "--objects", "s3://bucket/team", "--objects-credentials-file"];
        let words = words.into_iter().map(str::to_owned);
        words.chain([credentials, "--objects-endpoint".to_owned(), self.store.endpoint()]).collect()
    }

    pub(crate) fn two(&self) -> (World, World) {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let one = World::with(&arguments);
        let other = World::elsewhere(&one, &arguments);
        assert_eq!(one.public_key, other.public_key);
        (one, other)
    }
}

/// So many bytes that do not compress and differ by a seed.
pub(crate) fn noise(mut state: u64, length: usize) -> String {
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b' ' + u8::try_from((state >> 57) % 95).unwrap())
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub(crate) fn reads(world: &World, space: &str, made: &Made, token: &str) -> bool {
    let info = world.ask(&format!("GET /{space}/{}.narinfo", made.hash), token, b"");
    let info = aux_nix::NarInfo::parse(&info.body).unwrap();
    let nar = world.ask(&format!("GET /{space}/{}", info.url), token, b"");
    nar.status == 200 && made.unpacked(&nar.body) == made.nar
}

pub(crate) fn is_clean(world: &World) -> bool {
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["leftovers"]), (&json!(true), &json!(0)), "{checked}");
    checked["objects"].as_u64().unwrap() > 0
}

#[test]
fn what_is_pushed_and_promoted_at_one_server_is_read_at_the_other() {
    let Some(site) = Site::new() else { return };
    let (one, other) = site.two();
    let token = one.token("*", &["push", "promote"]);
    let library = Made::new("library-1.0", &noise(1, 20 << 20)).in_zstd();
    let program = Made::new("program-1.0", "p").needs(&library);
    library.push(&one, &token);
    eventually("the first push is at the other", || narinfo(&other, "staging", &library, &token) == 200);
    assert!(reads(&other, "staging", &library, &token));
    program.push(&other, &token);
    eventually("the second is at the first", || narinfo(&one, "staging", &program, &token) == 200);
    let promoted = one.api("POST", "views/vetted/promote", &json!({ "paths": [program.base] }));
    assert_eq!(promoted["outcome"], "promoted");
    eventually("the view is at the other", || narinfo(&other, "vetted", &program, &token) == 200);
    assert!(reads(&other, "vetted", &library, &token) && reads(&one, "vetted", &program, &token));
    for world in [&one, &other] {
        assert_eq!(fs::read_dir(world.path("data/objects")).unwrap().count(), 0);
        assert!(is_clean(world));
    }
}

#[test]
fn collection_at_one_server_breaks_no_answer_that_the_other_is_sending() {
    let Some(site) = Site::new() else { return };
    let (one, other) = site.two();
    let token = one.token("*", &["push", "read"]);
    let (large, kept) = (Made::new("large-1.0", &noise(2, 60 << 20)), Made::new("kept-1.0", "k"));
    large.push(&one, &token);
    kept.push(&one, &token);
    one.api("PUT", "caches/staging/pins/kept", &json!({ "path": kept.base }));
    eventually("the other has it", || narinfo(&other, "staging", &large, &token) == 200);
    let mut stream = TcpStream::connect(&other.listen).unwrap();
    let request = format!(
        "GET /staging/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
        large.nar_url()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut line) = (BufReader::new(stream), String::new());
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line).unwrap();
    }
    let mut got = vec![0; 1 << 20];
    answer.read_exact(&mut got).unwrap();
    let collected = one.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    assert_eq!(collected["objects"], 1);
    one.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    eventually("it is gone at the other", || narinfo(&other, "staging", &large, &token) == 404);
    answer.read_to_end(&mut got).unwrap();
    assert!(got == large.nar, "{} of {} bytes", got.len(), large.nar.len());
    assert!(reads(&other, "staging", &kept, &token));
    assert!(is_clean(&one) && is_clean(&other));
}

/// Pushes until the server is gone; what was confirmed.
fn push_on(world: &World, token: &str, name: &str, steps: &AtomicU32, is_done: &AtomicBool) -> Vec<Made> {
    let mut confirmed = Vec::new();
    let mut number = 0;
    while !is_done.load(Ordering::Relaxed) {
        // Some in more than one part.
        let length = if number % 5 == 1 { 17 << 20 } else { 3_000 };
        let text = format!("{name} {number} {}", noise(number, 1_000).repeat(length / 1_000));
        let made = Made::new("load-1.0", &text);
        number += 1;
        let act = std::panic::catch_unwind(|| {
            let put = made.put_nar(world, token).status == 201;
            steps.fetch_add(1, Ordering::Relaxed);
            let committed = put && made.put_narinfo(world, token, &made.narinfo(world)).status == 201;
            steps.fetch_add(1, Ordering::Relaxed);
            if number % 4 == 0 {
                world.ask("POST /-/api/1/gc", &world.admin, b"{\"older_than_seconds\": 3600}");
            }
            committed
        });
        match act {
            Ok(true) => confirmed.push(made),
            Ok(false) => {}
            Err(_) => break,
        }
    }
    confirmed
}

#[test]
fn one_server_is_killed_while_it_takes_pushes_and_the_other_goes_on() {
    let Some(site) = Site::new() else { return };
    let (mut one, other) = site.two();
    let token = one.token("*", &["push", "read"]);
    eventually("the token is known", || other.ask("GET /staging/nix-cache-info", &token, b"").status == 200);
    let arguments = site.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut confirmed = Vec::new();
    std::panic::set_hook(Box::new(|_| {}));
    for round in 0..KILLS {
        let (steps, others, is_done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        let mut child = one.take_child();
        confirmed.extend(thread::scope(|scope| {
            let (one, other, token, steps, others, is_done) = (&one, &other, &token, &steps, &others, &is_done);
            let pushing: Vec<_> = (0..4)
                .map(|client| {
                    let (world, steps) = if client < 2 { (one, steps) } else { (other, others) };
                    scope.spawn(move || push_on(world, token, &format!("{round} {client}"), steps, is_done))
                })
                .collect();
            while steps.load(Ordering::Relaxed) < round * 3 {
                thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            let before = others.load(Ordering::Relaxed);
            // Locks that the dead one held end with its connections; nobody waits for a person.
            eventually("the other goes on", || others.load(Ordering::Relaxed) > before + 3);
            is_done.store(true, Ordering::Relaxed);
            pushing.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
        }));
        one.start(&arguments);
    }
    drop(std::panic::take_hook());
    assert!(confirmed.len() > 2);
    for world in [&one, &other] {
        for made in &confirmed {
            eventually("both know it", || narinfo(world, "staging", made, &token) == 200);
            let nar = world.ask(&format!("GET /staging/{}", made.nar_url()), &token, b"");
            assert_eq!((nar.status, Sha256::of(&nar.body)), (200, Sha256::of(&made.nar)));
        }
    }
    // What the kills left behind goes, and nothing else.
    one.api("POST", "gc", &json!({ "older_than_seconds": 3600 }));
    assert!(is_clean(&one) && is_clean(&other));
}

#[test]
fn a_server_that_would_not_see_the_others_nars_or_take_them_for_its_own_does_not_start() {
    let Some(site) = Site::new() else { return };
    let (mut one, other) = site.two();
    let token = one.token("*", &["push"]);
    Made::new("path-1.0", "p").push(&one, &token);
    one.kill();
    let arguments = site.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = one.refused(&arguments[..2]);
    assert!(told.contains("the NARs of these records are in s3://bucket/team/; name it with --objects"), "{told}");
    let elsewhere: Vec<&str> =
        arguments.iter().map(|word| if *word == "s3://bucket/team" { "s3://bucket/mine" } else { *word }).collect();
    let told = one.refused(&elsewhere);
    assert!(told.contains("the NARs of these records are in s3://bucket/team/"), "{told}");
    // Another cache, whose collection would take all that is there.
    let stranger = World::prepared();
    for arguments in [&arguments[2..], &[&["--records", &*site.cluster.database()], &arguments[2..]].concat()] {
        let told = stranger.refused(arguments);
        assert!(told.contains("s3://bucket/team/: holds the NARs of another cache"), "{told}");
        fs::remove_dir_all(stranger.path("data")).unwrap();
    }
    // NARs that a server had before the others came.
    let shard = one.path("data/objects/00");
    fs::create_dir(&shard).unwrap();
    let stray = shard.join(format!("{}.nar", "0".repeat(52)));
    fs::File::create(&stray).unwrap();
    let told = one.refused(&arguments);
    assert!(told.contains("other servers of the bucket do not see"), "{told}");
    fs::remove_file(stray).unwrap();
    one.start(&arguments);
    assert!(is_clean(&one) && is_clean(&other));
    // And one of several that share a folder needs that folder.
    let records = site.cluster.database();
    let shared = World::with(&["--records", &records]);
    let token = shared.token("*", &["push"]);
    Made::new("path-1.0", "p").push(&shared, &token);
    let apart = World::prepared();
    fs::create_dir(apart.path("data")).unwrap();
    fs::copy(shared.path("data/signing-key"), apart.path("data/signing-key")).unwrap();
    let told = apart.refused(&["--records", &records]);
    assert!(told.contains("are in the folder of another server"), "{told}");
}
