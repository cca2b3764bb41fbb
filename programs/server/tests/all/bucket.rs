//! NARs in a bucket of a real S3 server, and what clients are told when it fails.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aux_nix::{NarInfo, Sha256};
use serde_json::json;

use crate::apart::noise;
use crate::http::request;
use crate::moto::{CREDENTIALS, Moto};
use crate::pushing::Made;
use crate::world::{Nix, World};

/// How a [`Way`] behaves.
pub(crate) const WELL: usize = 0;
/// Every request is answered with 503.
const BUSY: usize = 1;
/// Answers end after some bytes of them.
pub(crate) const CUT: usize = 2;
/// Connections are closed before a word.
pub(crate) const AWAY: usize = 3;

/// The way to the store, which can be made bad.
pub(crate) struct Way {
    pub(crate) address: String,
    mode: Arc<AtomicUsize>,
}

impl Way {
    pub(crate) fn to(store: &Moto) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mode = Arc::new(AtomicUsize::new(WELL));
        let (target, now) = (store.address.clone(), Arc::clone(&mode));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (target, now) = (target.clone(), Arc::clone(&now));
                thread::spawn(move || drop(pass(stream.unwrap(), &target, &now)));
            }
        });
        Self { address, mode }
    }

    pub(crate) fn behave(&self, mode: usize) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

/// One connection: each piece that comes is looked at anew, since connections are used again.
fn pass(mut client: TcpStream, target: &str, mode: &Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut store = TcpStream::connect(target)?;
    let (mut back, mut to_client, now) = (store.try_clone()?, client.try_clone()?, Arc::clone(mode));
    thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(length) = back.read(&mut piece) {
            let is_cut = now.load(Ordering::SeqCst) == CUT;
            let kept = if is_cut { length.min(600) } else { length };
            if length == 0 || to_client.write_all(&piece[..kept]).is_err() || is_cut {
                break;
            }
        }
        let _gone = to_client.shutdown(Shutdown::Both);
    });
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = client.read(&mut piece)?;
        match mode.load(Ordering::SeqCst) {
            _ if length == 0 => return store.shutdown(Shutdown::Both),
            AWAY => return client.shutdown(Shutdown::Both),
            BUSY => {
                client.write_all(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
                return client.shutdown(Shutdown::Both);
            }
            _ => store.write_all(&piece[..length])?,
        }
    }
}

/// A server whose NARs are in the bucket.
fn world(way: &Way, more: &[&str]) -> World {
    let mut world = World::prepared();
    let credentials = world.path("credentials");
    aux_io::file::create_private(&credentials, CREDENTIALS).unwrap();
    let endpoint = format!("http://{}", way.address);
    let credentials = credentials.to_str().unwrap().to_owned();
    let arguments = [
        "--objects",
        "s3://bucket/team/nars",
        "--objects-endpoint",
        &endpoint,
        "--objects-credentials-file",
        &credentials,
    ];
    world.start(&[&arguments[..], more].concat());
    world
}

#[test]
fn nars_go_to_the_bucket_and_come_back_whole_and_in_part() {
    let Some(store) = Moto::new() else { return };
    let world = world(&Way::to(&store), &[]);
    let token = world.token("*", &["push", "read", "promote"]);
    let small = Made::new("small-1.0", "small");
    // In more than one part and piece.
    let mut state: u64 = 3;
    let noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b' ' + u8::try_from((state >> 57) % 95).unwrap())
    };
    let large = Made::new("large-1.0", &std::iter::repeat_with(noise).take(37 << 20).collect::<String>());
    for made in [&small, &large] {
        made.push(&world, &token);
        let info = world.ask(&format!("GET /staging/{}.narinfo", made.hash), &token, b"");
        let info = NarInfo::parse(&info.body).unwrap();
        let nar = world.ask(&format!("GET /staging/{}", info.url), &token, b"");
        assert_eq!(nar.status, 200, "{}", world.log());
        assert!(nar.body == made.nar && Some(Sha256::of(&nar.body)) == info.file_hash);
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("Range", "bytes=7-99")];
        let part = request(&world.listen, &format!("GET /staging/{}", info.url), &headers, b"");
        assert!(part.status == 206 && part.body == nar.body[7..100]);
    }
    assert_eq!(fs::read_dir(world.path("data/objects")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(world.path("data/incoming")).unwrap().count(), 0);
    let keys = store.keys();
    assert!(keys.len() == 3 && keys.contains(&"team/nars/records".to_owned()), "{keys:?}");
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
    if let Some(nix) = Nix::new(&world, &token) {
        let path = nix.build();
        nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
        let second = nix.second_store("second");
        nix.run("nix", &["copy", "--no-check-sigs", "--from", &world.url("staging"), "--to", &second, &path]);
    }
    world.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["objects"], &checked["leftovers"]), (&json!(true), &json!(0), &json!(0)));
    assert!(!world.log().contains("hidden"));
}

#[test]
fn a_store_that_fails_is_a_503_and_never_a_short_200() {
    let Some(store) = Moto::new() else { return };
    let way = Way::to(&store);
    let world = world(&way, &[]);
    let token = world.token("*", &["push", "read"]);
    let kept = Made::new("kept-1.0", &"kept ".repeat(4_000_000));
    kept.push(&world, &token);
    let get = format!("GET /staging/{}", kept.nar_url());
    let new = Made::new("new-1.0", &"new".repeat(1000));
    for mode in [BUSY, AWAY] {
        way.behave(mode);
        for answer in [world.ask(&get, &token, b""), new.put_nar(&world, &token)] {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{}", answer.text());
            assert!(!answer.text().contains("bucket"));
        }
        let narinfo = world.ask(&format!("GET /staging/{}.narinfo", kept.hash), &token, b"");
        assert_eq!(narinfo.status, 200, "what is in memory is answered");
    }
    way.behave(CUT);
    let cut = std::panic::catch_unwind(|| world.ask(&get, &token, b""));
    if let Ok(answer) = cut {
        let is_whole = answer.header("content-length") == Some(&*answer.body.len().to_string());
        assert!(answer.status == 503 || !is_whole, "{} {}", answer.status, answer.body.len());
    }
    way.behave(WELL);
    let whole = world.ask(&get, &token, b"");
    assert!(whole.status == 200 && whole.body == kept.nar);
    new.push(&world, &token);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_pack_that_is_gone_is_a_404_before_anything_was_sent() {
    let Some(store) = Moto::new() else { return };
    let way = Way::to(&store);
    let world = world(&way, &["--keep", "chunks"]);
    let token = world.token("*", &["push", "read"]);
    let first = Made::new("library-1.0", &noise(1, 6 << 20)).in_zstd();
    // It lies in the pack of the first and in one of its own, and is longer than what is read at once.
    let second = Made::new("library-1.1", &(noise(1, 6 << 20) + &noise(2, 6 << 20))).in_zstd();
    first.push(&world, &token);
    second.push(&world, &token);
    let packs: Vec<String> = store.keys().into_iter().filter(|key| key.contains("/packs/")).collect();
    assert_eq!(packs.len(), 2);
    let kept: Vec<Vec<u8>> = packs.iter().map(|pack| store.bytes(pack)).collect();
    let ask = |method: &str, made: &Made| world.ask(&format!("{method} /staging/{}", made.nar_url()), &token, b"");
    let is_whole = |made: &Made| {
        let nar = ask("GET", made);
        nar.status == 200 && made.unpacked(&nar.body) == made.nar
    };
    for (pack, bytes) in packs.iter().zip(&kept) {
        assert!(store.ask(&format!("DELETE /bucket/{pack}")).starts_with("HTTP/1.1 204"));
        // What it was made of a moment ago is remembered the second time, so that a later part of it may be missing only
        // when it is wanted. Then the connection is cut, and from then on it is known.
        let remembered = std::panic::catch_unwind(|| ask("GET", &second));
        if let Ok(answer) = remembered {
            let is_all = answer.header("content-length") == Some(&*answer.body.len().to_string());
            assert!(answer.status == 404 || !is_all, "{}", answer.status);
        }
        for method in ["GET", "HEAD"] {
            assert_eq!(ask(method, &second).status, 404);
        }
        assert_eq!(world.ask(&format!("GET /staging/{}.narinfo", second.hash), &token, b"").status, 200);
        assert_eq!(is_whole(&first), *pack != packs[0]);
        assert!(world.log().contains("is lost: s3://bucket/team/nars/packs/"), "{}", world.log());
        let checked = world.api("POST", "fsck", &json!({}));
        assert_eq!(checked["clean"], false);
        store.put(pack, bytes);
        assert!(is_whole(&first) && is_whole(&second));
    }
    for mode in [BUSY, AWAY] {
        way.behave(mode);
        let answer = ask("GET", &second);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    way.behave(WELL);
    assert!(is_whole(&first) && is_whole(&second));
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn what_cannot_be_used_is_said_before_it_serves() {
    let Some(store) = Moto::new() else { return };
    let world = World::prepared();
    fs::create_dir_all(world.path("")).unwrap();
    let file = world.path("credentials");
    aux_io::file::create_private(&file, CREDENTIALS).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let endpoint = format!("http://{}", store.address);
    let credentials = ["--objects-credentials-file", &*file, "--objects-endpoint", &*endpoint];
    let said = world.refused(&[&["--objects", "s3://nobody"], &credentials[..]].concat());
    assert!(said.contains("s3://nobody/: there is no such bucket") && !said.contains("hidden"), "{said}");
    let said = world.refused(&["--objects", "s3://bucket", "--objects-credentials-file", "/nowhere"]);
    assert!(said.contains("/nowhere: cannot be read: No such file"), "{said}");
    let said = world.refused(&["--objects", "s3://bucket"]);
    assert!(said.contains("--objects-credentials-file"), "{said}");
}
