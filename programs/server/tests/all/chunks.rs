//! NARs in chunks: served as any other, in any part, kept once, and never wrong.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileExt as _;

use aux_cache::client::{CacheClient, Plan, PushOptions, push};
use aux_inventory::StoreObject;
use aux_io::http::{HttpClient, HttpOptions, Url};
use aux_nix::{NarInfo, Sha256};
use serde_json::{Value, json};

use crate::http::request;
use crate::pushing::Made;
use crate::world::{Nix, World};

/// Two megabytes that do not compress well, with a reference in every kilobyte or so.
fn text(world: &World, hash: char) -> String {
    let reference = format!("{}/{}-library-1.0/lib", world.path("store").display(), hash.to_string().repeat(32));
    let mut state: u64 = 11;
    let mut text = String::new();
    while text.len() < 2 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(text, "{:x} ", state >> 20).unwrap();
        if state >> 56 < 3 {
            text.push_str(&reference);
        }
    }
    text
}

fn stored_bytes(world: &World) -> u64 {
    world.api("GET", "status", &json!({}))["stored_bytes"].as_u64().unwrap()
}

#[test]
fn two_builds_that_differ_by_a_reference_take_the_room_of_one() {
    let world = World::new();
    let token = world.token("*", &["push", "read"]);
    let one = Made::new("program-1.0", &text(&world, 'a')).in_zstd();
    let other = Made::new("program-1.0", &text(&world, 'b')).in_zstd();
    one.push(&world, &token);
    let before = stored_bytes(&world);
    other.push(&world, &token);
    assert_eq!(stored_bytes(&world), before);
    for made in [&one, &other] {
        let info = world.ask(&format!("GET /staging/{}.narinfo", made.hash), &token, b"");
        let info = NarInfo::parse(&info.body).unwrap();
        let nar = world.ask(&format!("GET /staging/{}", info.url), &token, b"");
        assert_eq!(nar.status, 200);
        assert_eq!((Some(Sha256::of(&nar.body)), Some(nar.body.len() as u64)), (info.file_hash, info.file_size));
        assert!(made.unpacked(&nar.body) == made.nar);
        // Whoever pushed it knows it by another name.
        let own = world.ask(&format!("GET /staging/{}", made.nar_url()), &token, b"");
        assert!(own.status == 200 && own.body == nar.body);
        let head = world.ask(&format!("HEAD /staging/{}", info.url), &token, b"");
        assert_eq!(head.header("content-length"), Some(&*nar.body.len().to_string()));
        for (start, end) in [(0, 0), (1, 1), (100_000, 900_000), (nar.body.len() - 1, nar.body.len() - 1)] {
            let bearer = format!("Bearer {token}");
            let headers = [("Authorization", &*bearer), ("Range", &*format!("bytes={start}-{end}"))];
            let part = request(&world.listen, &format!("GET /staging/{}", info.url), &headers, b"");
            assert!(part.status == 206 && part.body == nar.body[start..=end], "{start} to {end}");
        }
    }
    // What one of them no longer needs the other does.
    world.api("PUT", "caches/staging/pins/kept", &json!({ "path": other.base }));
    world.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    let nar = world.ask(&format!("GET /staging/{}", other.nar_url()), &token, b"");
    assert!(nar.status == 200 && other.unpacked(&nar.body) == other.nar);
    world.api("DELETE", "caches/staging/pins/kept", &json!({}));
    world.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    assert_eq!(stored_bytes(&world), 0);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_damaged_chunk_ends_the_answer_and_is_told_by_the_check_and_comes_anew() {
    let mut world = World::new();
    let token = world.token("*", &["push", "read"]);
    let made = Made::new("program-1.0", &text(&world, 'a')).in_zstd();
    made.push(&world, &token);
    world.kill();
    let pack = world.path("data/packs/00000000.pack");
    let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(b"damage", size - 1000).unwrap();
    world.start(&[]);
    let get = format!("GET /staging/{}", made.nar_url());
    let cut = std::panic::catch_unwind(|| world.ask(&get, &token, b""));
    if let Ok(answer) = cut {
        let is_whole = answer.header("content-length") == Some(&*answer.body.len().to_string());
        assert!(answer.status == 404 || !is_whole, "a client sees that it has not all");
    }
    // Damage in what is read first is known before the head leaves.
    file.write_all_at(b"damage", 1000).unwrap();
    assert_eq!(world.ask(&get, &token, b"").status, 404);
    assert!(world.log().contains("is damaged"), "{}", world.log());
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["problems"][0]["kind"]), (&json!(false), &json!("object")), "{checked}");
    // Pushed again, it is mended.
    assert_eq!(made.put_nar(&world, &token).status, 201);
    let nar = world.ask(&get, &token, b"");
    assert!(made.unpacked(&nar.body) == made.nar);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn what_was_kept_one_way_is_served_the_other_way_on() {
    let mut world = World::new();
    let token = world.token("*", &["push", "read"]);
    let chunked = Made::new("chunked-1.0", &text(&world, 'a')).in_zstd();
    chunked.push(&world, &token);
    world.kill();
    world.start(&["--keep", "whole"]);
    let whole = Made::new("whole-1.0", &text(&world, 'b')).in_zstd();
    whole.push(&world, &token);
    let objects = fs::read_dir(world.path("data/objects")).unwrap().count();
    assert_eq!(objects, 1);
    world.kill();
    world.start(&["--keep", "chunks"]);
    for made in [&chunked, &whole] {
        let nar = world.ask(&format!("GET /staging/{}", made.nar_url()), &token, b"");
        assert!(nar.status == 200 && made.unpacked(&nar.body) == made.nar);
    }
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_real_nix_pushes_zstd_and_substitutes_what_chunks_give() {
    let world = World::new();
    let token = world.token("*", &["push", "read", "promote"]);
    let Some(nix) = Nix::new(&world, &token) else { return };
    let path = nix.build();
    let to = format!("{}?compression=zstd", world.url("staging"));
    nix.run("nix", &["copy", "--to", &to, &path]);
    assert_eq!(fs::read_dir(world.path("data/objects")).unwrap().count(), 0);
    let promoted: Value = world.api("POST", "views/vetted/promote", &json!({ "paths": [path] }));
    assert!(promoted["edition"].is_number(), "{promoted}");
    let second = nix.second_store("second");
    let key = world.public_key.clone();
    let copy =
        ["copy", "--from", &world.url("vetted"), "--to", &second, &path, "--option", "trusted-public-keys", &key];
    nix.run("nix", &copy);
    // As whoever pushed remembers it.
    let third = nix.second_store("third");
    nix.run("nix", &["copy", "--no-check-sigs", "--from", &world.url("staging"), "--to", &third, &path]);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

/// A store object on disk that is pushed by our own client.
struct Pushing<'w> {
    world: &'w World,
    client: CacheClient,
}

impl<'w> Pushing<'w> {
    fn new(world: &'w World, token: &str) -> Self {
        let http = HttpClient::new(HttpOptions::new("aux/test")).unwrap();
        let base = Url::parse(&format!("http://{}/", world.listen)).unwrap();
        Self { world, client: CacheClient::new(http, base, Some(token.to_owned().into())) }
    }

    /// Pushes a file of this text; how many bytes went out, and its hash.
    fn push(&self, cache: &str, name: &str, text: &str) -> (u64, String) {
        let made = Made::new(name, text);
        let store = self.world.store().to_str().unwrap().to_owned();
        let path = format!("{store}/{}", made.base);
        let root = self.world.path("disk");
        let source = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        aux_io::file::replace(&source, text.as_bytes()).unwrap();
        let object = StoreObject {
            path,
            nar_hash: Sha256::of(&made.nar).to_string(),
            nar_size: made.nar.len() as u64,
            references: Vec::new(),
            deriver: None,
            signatures: Vec::new(),
            content_address: None,
        };
        let plan = Plan::new(&[object], &root).unwrap();
        let options = PushOptions { cache: cache.to_owned(), workers: 1, is_dry_run: false, is_repair: false };
        let pushed = push(&self.client, &plan, &options, &|_| {}).unwrap();
        assert_eq!((pushed.sent.len(), pushed.failed.len()), (1, 0), "{:?}\n{}", pushed.failed, self.world.log());
        let narinfo = self.world.ask(&format!("GET /{cache}/{}.narinfo", made.hash), &self.world.admin, b"");
        let info = NarInfo::parse(&narinfo.body).unwrap();
        let nar = self.world.ask(&format!("GET /{cache}/{}", info.url), &self.world.admin, b"");
        assert_eq!((Some(Sha256::of(&nar.body)), Some(nar.body.len() as u64)), (info.file_hash, info.file_size));
        assert!(zstd::decode_all(&*nar.body).unwrap() == made.nar);
        (pushed.file_bytes, made.hash)
    }
}

#[test]
fn a_second_build_is_pushed_by_its_new_chunks_alone_and_no_cache_tells_of_another() {
    let mut world = World::new();
    world.api("POST", "caches", &json!({ "name": "apart" }));
    let (mine, theirs) = (world.token("staging", &["push", "read"]), world.token("apart", &["push", "read"]));
    let (one, other) = (text(&world, 'a'), text(&world, 'b'));
    let (first, _) = Pushing::new(&world, &mine).push("staging", "program-1.0", &one);
    assert!(first > 1 << 20, "{first}");
    let (second, _) = Pushing::new(&world, &mine).push("staging", "program-1.0", &other);
    assert!(second < 100_000, "{second}");
    // Whoever pushes to another cache is not told what this one has.
    let (apart, _) = Pushing::new(&world, &theirs).push("apart", "program-1.0", &other);
    assert_eq!(apart, first);
    let ask = world.ask("POST /-/api/1/caches/staging/chunks", &theirs, br#"{"digests":[]}"#);
    assert_eq!(ask.status, 403);
    let ask = world.ask("POST /-/api/1/caches/staging/chunks", &mine, br#"{"digests":["x"]}"#);
    assert_eq!((ask.status, &ask.json()["error"]), (422, &json!("digest")));
    // A chunk that is damaged is sent after all, and mended by that.
    world.kill();
    let pack = world.path("data/packs/00000000.pack");
    let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
    file.write_all_at(b"damage", 100_000).unwrap();
    world.start(&[]);
    let (third, _) = Pushing::new(&world, &mine).push("staging", "program-1.1", &other);
    assert!(third > 1 << 20, "{third}");
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
    // A server that keeps NARs whole is sent them whole.
    world.kill();
    world.start(&["--keep", "whole"]);
    let (whole, _) = Pushing::new(&world, &mine).push("staging", "program-1.2", &text(&world, 'c'));
    assert!(whole > 1 << 20, "{whole}");
}

/// The refusal comes while the rest is still being sent.
#[test]
fn a_damaged_chunk_at_the_front_of_much_is_sent_after_all() {
    let mut world = World::new();
    let token = world.token("staging", &["push", "read"]);
    let mut state: u64 = 5;
    let mut large = String::new();
    while large.len() < 30 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(large, "{state:x} ").unwrap();
    }
    let (first, _) = Pushing::new(&world, &token).push("staging", "program-1.0", &large);
    world.kill();
    let pack = world.path("data/packs/00000000.pack");
    let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
    // Behind the first chunk, in which the size of the file stands.
    file.write_all_at(b"damage", 3_000_000).unwrap();
    world.start(&[]);
    large.push_str("and a little more");
    let (second, _) = Pushing::new(&world, &token).push("staging", "program-1.1", &large);
    assert!(second > first - (first >> 4), "{second} of {first}: all of it, whole");
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn what_lies_under_the_name_of_a_nar_and_is_another_does_not_stop_a_push() {
    let world = World::new();
    let token = world.token("*", &["push", "read"]);
    let large = text(&world, 'a').repeat(4);
    let made = Made::new("program-1.0", &large);
    assert!(made.nar.len() > 4 << 20, "asked for before it is sent");
    let other = zstd::encode_all(&*Made::new("program-1.0", "other").nar, 3).unwrap();
    let name = format!("/staging/nar/{}.nar.zst", Sha256::of(&made.nar).nix32());
    assert_eq!(world.ask(&format!("PUT {name}"), &token, &other).status, 201);
    let (sent, _) = Pushing::new(&world, &token).push("staging", "program-1.0", &large);
    assert!(sent > 1 << 20, "{sent}");
}

#[test]
fn a_reference_to_a_chunk_that_is_not_there_is_refused() {
    let world = World::new();
    let token = world.token("*", &["push", "read"]);
    let made = Made::new("program-1.0", "p");
    // Shape of a reference: a skippable frame, `aux1`, and a digest.
    let frame = [&[0x5c, 0x2a, 0x4d, 0x18, 36, 0, 0, 0][..], b"aux1", &[7; 32]].concat();
    for body in [&frame[..], &frame[..20], &[&frame[..], &frame].concat()] {
        let answer = world.ask(&format!("PUT /staging/{}", made.nar_url()), &token, body);
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    assert_eq!(world.ask(&format!("GET /staging/{}", made.nar_url()), &token, b"").status, 404);
}
