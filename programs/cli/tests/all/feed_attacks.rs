//! What somebody between publisher and client can do: each is refused in its own words, and the old feed stays.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use aux_io::http::{HttpClient, HttpOptions, Url};
use aux_io::source::Source;
use aux_sync::{Progress, State, SyncRequest};

use crate::team::{LONG_AGO, copy, done, follow, index, kept_index, publish, publisher, status, sync, url};
use crate::world::World;

/// A client at serial 1, and its index.
fn client() -> (World, Vec<u8>) {
    let world = publisher();
    publish(&world, 10, 1);
    follow(&world, &url(&world));
    let kept = kept_index(&world);
    (world, kept)
}

/// The attack is refused with these words, and the feed is the one that was there.
fn refused(world: &World, kept: &[u8], words: &str) {
    let said = sync(world, &url(world));
    assert_eq!(said.code, Some(2), "{}", said.shown());
    assert!(said.stderr.contains(words), "{}", said.stderr);
    assert!(said.stderr.contains("hint: "), "{}", said.stderr);
    assert_eq!(kept_index(world), kept);
    assert_eq!(status(world)["stale"], false);
}

#[test]
fn an_older_publication_is_refused() {
    let (world, _) = client();
    let public = world.path("team/public");
    copy(&public, &world.path("before"));
    publish(&world, 10, 2);
    done(&sync(&world, &url(&world)));
    let kept = kept_index(&world);
    copy(&world.path("before"), &public);
    refused(&world, &kept, "timestamp: the server offers version 1, older than the 2 seen before (a rollback)");
}

#[test]
fn an_expired_publication_is_refused() {
    let (world, kept) = client();
    done(&world.run(&format!("feed publish --repo team --as-of {LONG_AGO}")));
    refused(&world, &kept, "the timestamp metadata has expired");
}

#[test]
fn parts_of_different_publications_are_refused() {
    let (world, kept) = client();
    publish(&world, 10, 2);
    let public = world.path("team/public");
    fs::copy(public.join("1.snapshot.json"), public.join("2.snapshot.json")).unwrap();
    refused(&world, &kept, "parts of different publications are mixed");
}

#[test]
fn a_target_with_other_bytes_is_refused() {
    let (world, kept) = client();
    publish(&world, 10, 2);
    for entry in fs::read_dir(world.path("team/public/targets")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        crate::world::write(&path, &bytes);
    }
    refused(&world, &kept, "is not the file that was signed (another hash)");
}

#[test]
fn too_few_signatures_are_refused() {
    let world = World::empty();
    done(&world.run("feed init --repo team --signers timestamp=2/3"));
    publish(&world, 10, 1);
    follow(&world, &url(&world));
    let kept = kept_index(&world);
    publish(&world, 10, 2);
    let path = world.path("team/public/timestamp.json");
    let mut timestamp: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let signatures = timestamp["signatures"].as_array_mut().unwrap();
    assert_eq!(signatures.len(), 3);
    signatures.truncate(1);
    // One good signature twice is one signature.
    signatures.push(signatures[0].clone());
    crate::world::write(&path, timestamp.to_string().as_bytes());
    refused(&world, &kept, "the timestamp metadata");
}

#[test]
fn a_revoked_key_signs_nothing_any_more() {
    let (world, kept) = client();
    copy(&world.path("team"), &world.path("thief"));
    done(&world.run("feed key rotate timestamp --repo team"));
    // The thief has the old keys, publishes something of their own, and shows it under the new root.
    index(&world, "evil", 1, 9);
    for _ in 0..3 {
        done(&world.run("feed publish evil.auxdb --repo thief"));
    }
    let public = world.path("team/public");
    fs::copy(world.path("thief/public/timestamp.json"), public.join("timestamp.json")).unwrap();
    refused(&world, &kept, "the timestamp metadata is not signed by enough keys that may sign it");
}

#[test]
fn another_root_is_refused_without_a_chain_and_taken_when_a_person_gives_it() {
    let (world, kept) = client();
    done(&world.run("feed init --repo stranger"));
    index(&world, "evil", 1, 9);
    done(&world.run("feed publish evil.auxdb --repo stranger"));
    done(&world.run("feed key rotate timestamp --repo stranger"));
    let public = world.path("team/public");
    fs::remove_dir_all(&public).unwrap();
    copy(&world.path("stranger/public"), &public);
    refused(&world, &kept, "the root metadata offered is not signed by the root that is trusted");
    done(&world.run(&format!("feed sync {} --root stranger/public/root.json", url(&world))));
    assert_eq!(kept_index(&world), fs::read(world.path("evil.auxdb")).unwrap());
}

#[test]
fn a_server_that_fails_where_a_newer_root_would_be_is_not_believed_to_have_none() {
    let (world, kept) = client();
    let public = world.path("team/public");
    fs::create_dir(public.join("2.root.json")).unwrap();
    refused(&world, &kept, "2.root.json");
}

#[test]
fn what_was_verified_before_a_failure_stays_known() {
    let (world, kept) = client();
    let public = world.path("team/public");
    copy(&public, &world.path("before"));
    publish(&world, 10, 2);
    fs::remove_dir_all(public.join("targets")).unwrap();
    refused(&world, &kept, "404");
    fs::remove_dir_all(&public).unwrap();
    copy(&world.path("before"), &public);
    refused(&world, &kept, "a rollback");
}

/// Serves every request the same way, until the client gives up.
fn server(answer: impl Fn(&str, &mut std::net::TcpStream) -> std::io::Result<()> + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = vec![0; 4096];
            let Ok(read) = stream.read(&mut request) else { continue };
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            // The client may have gone, which is what the test is about.
            drop(answer(&path, &mut stream));
        }
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}

/// Syncs with short patience, and returns what was said.
fn attacked(world: &World, url: &Url) -> String {
    let mut options = HttpOptions::new("test");
    options.speed_window = Duration::from_millis(100);
    options.response_limit = Duration::from_secs(5);
    let source = Source::new(HttpClient::new(options).unwrap());
    let state = State::new(world.outside(crate::team::STATE));
    let now = jiff::Timestamp::now();
    let request = SyncRequest { url, root: None, now, progress: Progress::silent() };
    aux_sync::sync(&state, &source, &request).unwrap_err().to_string()
}

const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn endless_data_is_cut_off() {
    let (world, kept) = client();
    let url = server(|path, stream| {
        if path.ends_with(".root.json") {
            return stream.write_all(MISSING);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    });
    let said = attacked(&world, &url);
    assert!(said.contains("timestamp.json: sends more than the 262144 bytes that belong there"), "{said}");
    assert_eq!(kept_index(&world), kept);
}

#[test]
fn a_server_that_never_ends_its_answer_is_given_up() {
    let (world, kept) = client();
    let url = server(|path, stream| {
        if path.ends_with(".root.json") {
            return stream.write_all(MISSING);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{")?;
        // Waits until the client closes the connection.
        stream.read(&mut [0; 16]).map(drop)
    });
    let said = attacked(&world, &url);
    assert!(said.contains("timestamp.json: waiting for its next byte took longer than"), "{said}");
    assert_eq!(kept_index(&world), kept);
}
