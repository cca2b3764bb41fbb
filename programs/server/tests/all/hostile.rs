//! Clients that lie, climb or dawdle: answers as the documents say, nothing committed, nothing told of the inside.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::http::request;
use crate::pushing::Made;
use crate::world::World;

#[test]
fn a_client_that_lies_about_hashes_sizes_references_or_names_commits_nothing() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let (path, other) = (Made::new("hello-1.0", "hello"), Made::new("other-1.0", "other"));
    assert_eq!(path.put_narinfo(&world, &token, &path.narinfo(&world)).status, 422, "no NAR came before");
    assert_eq!(path.put_nar(&world, &token).status, 201);
    other.push(&world, &token);
    let good = path.narinfo(&world);
    let size = path.nar.len().to_string();
    let missing = format!("References: {}", Made::new("missing-1.0", "x").base);
    for (from, to) in [
        (format!("NarSize: {size}"), "NarSize: 1".to_owned()),
        (format!("FileSize: {size}"), "FileSize: 1".to_owned()),
        (
            "NarHash: sha256:".to_owned() + &good.split("NarHash: sha256:").nth(1).unwrap()[..52],
            "NarHash: sha256:".to_owned() + &"0".repeat(52),
        ),
        (
            "FileHash: sha256:".to_owned() + &good.split("FileHash: sha256:").nth(1).unwrap()[..52],
            "FileHash: sha256:".to_owned() + &"0".repeat(52),
        ),
        ("References: ".to_owned(), missing),
        (path.base.clone(), other.base.clone()),
        (path.nar_url(), other.nar_url()),
        (path.nar_url(), "nar/../x.nar".to_owned()),
        (world.path("store").display().to_string(), "/nix/store".to_owned()),
        ("Compression: none\n".to_owned(), "Compression: none\nCompression: none\n".to_owned()),
    ] {
        let lie = good.replace(&from, &to);
        assert_ne!(lie, good, "{from}");
        let answer = path.put_narinfo(&world, &token, &lie);
        assert_eq!((answer.status, answer.text()), (422, "Unprocessable Entity\n"), "{lie}");
    }
    assert_eq!(world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"").status, 404);
    // Whoever accepts a document is told why.
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Accept", "application/json")];
    let lie = good.replace(&format!("NarSize: {size}"), "NarSize: 1");
    let told = request(&world.listen, &format!("PUT /staging/{}.narinfo", path.hash), &headers, lie.as_bytes());
    assert_eq!((told.status, &told.json()["error"]), (422, &json!("size-mismatch")));
    assert_eq!(path.put_narinfo(&world, &token, &good).status, 201);
    // What is there is not replaced by something else.
    let changed = good.replace("References: ", &format!("References: {}", other.base));
    assert_eq!(path.put_narinfo(&world, &token, &changed).status, 409);
    // Nobody signs in the server's name.
    let forged =
        format!("{good}Sig: {}{}==\n", world.public_key.split(':').next().unwrap().to_owned() + ":", "A".repeat(86));
    assert_eq!(path.put_narinfo(&world, &token, &forged).status, 201);
    let served = world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"");
    assert!(!served.text().contains("Sig:"), "{}", served.text());
    for nar in [&b"text"[..], b"", &path.nar[..path.nar.len() - 8], b"\xfd7zXZ\0..", b"\x28\xb5\x2f\xfd"] {
        assert_eq!(world.ask("PUT /staging/nar/x.nar.xz", &token, nar).status, 422);
    }
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_cache_with_keys_takes_only_what_one_of_them_signed() {
    let world = World::new();
    let seed = aux_nix::signature::SecretKey::new(
        aux_nix::signature::KeyName::parse("upstream-1").unwrap(),
        zeroize::Zeroizing::new([7; 32]),
    );
    let key = seed.unwrap();
    world.api("PATCH", "caches/staging", &json!({ "keys": [key.public().to_string()] }));
    let token = world.token("staging", &["push"]);
    let path = Made::new("hello-1.0", "hello");
    assert_eq!(path.put_nar(&world, &token).status, 201);
    assert_eq!(path.put_narinfo(&world, &token, &path.narinfo(&world)).status, 422);
    let mut info = aux_nix::NarInfo::parse(path.narinfo(&world).as_bytes()).unwrap();
    info.sign(&key);
    assert_eq!(path.put_narinfo(&world, &token, &info.print()).status, 201);
    let served = world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"");
    assert!(served.text().contains("Sig: upstream-1:"), "an upstream's signature is served");
}

#[test]
fn no_name_leads_out_and_no_answer_tells_of_the_inside() {
    let world = World::new();
    let inside = world.path("").display().to_string();
    for head in [
        "GET /staging/nar/..%2f..%2fadmin-token.nar",
        "GET /staging/nar/../../admin-token",
        "GET /staging/../admin-token",
        "PUT /staging/nar/../x.nar",
        "PUT /staging/log/..%2fx",
        "GET /staging/realisations/..%2f..%2fx.doi",
        "GET /-/api/1/caches/..%2fstaging",
        "GET /-/api/1/caches/staging/why/%2e%2e",
        "POST /-/api/1/caches",
        "PUT /-/api/1/views/vetted/policy",
        "DELETE /-/api/1/tokens/t99",
        "GET //etc/passwd",
        "PATCH /staging/nix-cache-info",
    ] {
        let answer = world.ask(head, &world.admin, b"{\"x\": 1}");
        assert!((400..500).contains(&answer.status), "{head}: {}", answer.status);
        assert!(!answer.text().contains(&inside) && !answer.text().contains("crates/"), "{}", answer.text());
        assert!(answer.header("aux-request").is_some());
    }
    let unknown = world.ask("POST /-/api/1/caches", &world.admin, b"{\"name\": \"x\", \"sings\": true}");
    assert!(unknown.text().contains("unknown field `sings`"), "{}", unknown.text());
    let policy = json!({ "policy": "[[rule]]\nname = \"x\"\nany = [{ kyes = 1 }]\n" }).to_string();
    let refused = world.ask("PUT /-/api/1/views/vetted/policy", &world.admin, policy.as_bytes());
    assert_eq!(refused.json()["error"], "policy");
    assert!(refused.json()["detail"].as_str().unwrap().contains("kyes"));
}

#[test]
fn clients_that_stop_reading_do_not_have_their_nars_in_the_servers_memory() {
    const NAR_BYTES: usize = 64 << 20;
    const CLIENTS: usize = 6;
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let path = Made::new("large-1.0", &"x".repeat(NAR_BYTES));
    path.push(&world, &token);
    let head = format!("GET /staging/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n", path.nar_url());
    let clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(&world.listen).unwrap();
            client.write_all(head.as_bytes()).unwrap();
            // So that the server is in the middle of it.
            client.read_exact(&mut vec![0; NAR_BYTES / 8]).unwrap();
            client
        })
        .collect();
    // What it would read ahead it has read by the time it has answered these.
    for _ in 0..200 {
        assert_eq!(world.ask("GET /-/health", "", b"").status, 200);
    }
    let peak_bytes = world.peak_bytes();
    assert!(peak_bytes < (NAR_BYTES * CLIENTS / 2) as u64, "{} MB", peak_bytes >> 20);
    drop(clients);
}

#[test]
fn a_head_that_does_not_end_and_a_body_that_breaks_off_harm_nobody() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let mut endless = TcpStream::connect(&world.listen).unwrap();
    let too_much = [b"GET /staging/x HTTP/1.1\r\nX: ".as_slice(), &vec![b'a'; 200_000]].concat();
    let _hung_up = endless.write_all(&too_much);
    // The answer may be lost with the connection, which is reset because nobody reads the rest.
    let mut heard = String::new();
    let _reset = endless.read_to_string(&mut heard);
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431 "), "{heard}");
    let path = Made::new("hello-1.0", "hello");
    let mut broken = TcpStream::connect(&world.listen).unwrap();
    let head = format!(
        "PUT /staging/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 5000\r\n\r\n",
        path.nar_url()
    );
    broken.write_all(head.as_bytes()).unwrap();
    broken.write_all(&path.nar).unwrap();
    drop(broken);
    // The body was not whole, so nothing was put under the name.
    assert_eq!(world.ask(&format!("HEAD /staging/{}", path.nar_url()), &token, b"").status, 404);
    path.push(&world, &token);
    assert_eq!(world.ask("GET /-/health", "", b"").status, 200);
}
