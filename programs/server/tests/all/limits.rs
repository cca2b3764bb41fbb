//! Where the machine has no more to give: a full disk, ten thousand connections that nobody speaks on, many clients that
//! ask for everything while others push and collect.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aux_nix::Sha256;
use serde_json::json;

use crate::pushing::Made;
use crate::world::World;

/// Fills the disk that the server's data is on, to the last byte.
fn fill(world: &World) -> std::path::PathBuf {
    let file = world.seen(&world.path("data/filler"));
    let mut filler = OpenOptions::new().create(true).append(true).open(&file).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
    file
}

#[test]
fn a_full_disk_refuses_what_is_new_serves_what_is_there_and_loses_nothing() {
    let mut world = World::prepared();
    world.start_on_small_disk(16 << 20);
    let token = world.token("staging", &["push"]);
    let (kept, refused) = (Made::new("kept-1.0", "kept"), Made::new("refused-1.0", &"refused".repeat(10_000)));
    kept.push(&world, &token);
    let begun = Made::new("begun-1.0", "begun");
    assert_eq!(begun.put_nar(&world, &token).status, 201);

    let filler = fill(&world);
    assert_eq!(refused.put_nar(&world, &token).status, 507);
    let told = world.ask("POST /-/api/1/gc", &world.admin, b"{\"older_than_seconds\": 0, \"dry_run\": true}");
    assert!([200, 507].contains(&told.status), "{} {}", told.status, told.text());
    // A record may still fit into what the database has already; then it was kept, else it is refused as the NAR was.
    let status = begun.put_narinfo(&world, &token, &begun.narinfo(&world)).status;
    assert!([201, 507].contains(&status), "{status}");
    let narinfo = world.ask(&format!("GET /staging/{}.narinfo", kept.hash), &token, b"");
    let nar = world.ask(&format!("GET /staging/{}", kept.nar_url()), &token, b"");
    assert_eq!((narinfo.status, nar.status, &nar.body), (200, 200, &kept.nar));

    std::fs::remove_file(filler).unwrap();
    for path in [&refused, &begun] {
        path.push(&world, &token);
        let nar = world.ask(&format!("GET /staging/{}", path.nar_url()), &token, b"");
        assert_eq!((nar.status, &nar.body), (200, &path.nar));
    }
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["leftovers"]), (&json!(true), &json!(0)), "{checked}");
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_from_being_served() {
    const IDLE: usize = 10_000;
    const BYTES_MAX: u64 = 256 << 20;
    // A test may have as many as its limit says, and the server takes one for each.
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let idle = IDLE.min(usize::try_from(allowed).unwrap() - 200);
    assert!(idle == IDLE || !crate::corpora::in_ci(), "this machine allows {allowed} open files only");
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &token);
    let connections: Vec<TcpStream> = (0..idle).map(|_| TcpStream::connect(&world.listen).unwrap()).collect();
    let nar = world.ask(&format!("GET /staging/{}", path.nar_url()), &token, b"");
    assert_eq!((nar.status, &nar.body), (200, &path.nar));
    // Each of them is still served when it speaks at last.
    let mut last = connections.into_iter().next_back().unwrap();
    last.write_all(b"GET /-/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(crate::http::read(last, false).status, 200);
    assert!(world.peak_bytes() < BYTES_MAX, "{} MB", world.peak_bytes() >> 20);
}

/// Clients of the crowd, and how long each asks; `AUX_CLIENTS` and `AUX_CLIENT_SECONDS` ask for more.
const CLIENTS: u64 = 40;
const CLIENT_SECONDS: u64 = 3;

#[expect(clippy::disallowed_methods, reason = "how large the crowd is, is asked for from outside")]
fn asked_for(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

#[test]
#[expect(clippy::print_stderr, reason = "a soak says how much it asked for")]
fn a_crowd_of_clients_gets_no_wrong_byte_while_others_push_and_collect() {
    let world = World::new();
    let token = world.token("*", &["push"]);
    let paths: Vec<Made> = (0..64_usize)
        .map(|number| Made::new("crowd-1.0", &format!("{number} ").repeat(1 + number * number * 50)))
        .collect();
    for path in &paths {
        path.push(&world, &token);
    }
    let deadline = Instant::now() + Duration::from_secs(asked_for("AUX_CLIENT_SECONDS", CLIENT_SECONDS));
    let answers = AtomicU64::new(0);
    thread::scope(|scope| {
        for client in 0..asked_for("AUX_CLIENTS", CLIENTS) {
            let (world, token, paths, answers) = (&world, &token, &paths, &answers);
            let ask = move || {
                let mut random = client + 1;
                while Instant::now() < deadline {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let path = &paths[usize::try_from(random >> 33).unwrap() % paths.len()];
                    let narinfo = world.ask(&format!("GET /staging/{}.narinfo", path.hash), token, b"");
                    assert!(narinfo.status == 200 && narinfo.text().contains(&path.base));
                    let nar = world.ask(&format!("GET /staging/{}", path.nar_url()), token, b"");
                    assert_eq!((nar.status, Sha256::of(&nar.body)), (200, Sha256::of(&path.nar)));
                    answers.fetch_add(2, Ordering::Relaxed);
                }
            };
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, ask).unwrap();
        }
        let mut number = 0;
        while Instant::now() < deadline {
            number += 1;
            Made::new("new-1.0", &number.to_string()).push(&world, &token);
            if number % 50 == 0 {
                world.api("POST", "gc", &json!({ "older_than_seconds": 3600 }));
            }
        }
    });
    eprintln!("{} answers, {} MB at most", answers.load(Ordering::Relaxed), world.peak_bytes() >> 20);
    assert!(answers.load(Ordering::Relaxed) > 0);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}
