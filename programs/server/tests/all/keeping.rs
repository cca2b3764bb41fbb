//! What is kept and what goes; who may do what; how the server starts.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::pushing::Made;
use crate::world::World;

#[test]
fn collection_takes_only_what_nobody_needs_and_says_so_before() {
    let world = World::new();
    let token = world.token("*", &["push", "promote"]);
    let library = Made::new("library-1.0", "l");
    let pinned = Made::new("pinned-1.0", "p").needs(&library);
    let promoted = Made::new("promoted-1.0", "v");
    let idle = Made::new("idle-1.0", "i").needs(&library);
    for path in [&library, &pinned, &promoted, &idle] {
        path.push(&world, &token);
    }
    world.api("PUT", "caches/staging/pins/release", &json!({ "path": pinned.base }));
    world.api("POST", "views/vetted/promote", &json!({ "paths": [promoted.base] }));
    world.api("POST", "views/vetted/rollback", &json!({ "to": 0, "reason": "a test" }));
    let status = |path: &Made| world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"").status;
    let collect = |wish: Value| world.api("POST", "gc", &wish);
    assert_eq!(collect(json!({}))["paths"], 0, "within the grace period everything stays");
    let dry = collect(json!({ "dry_run": true, "older_than_seconds": 0 }));
    assert_eq!((&dry["paths"], &dry["objects"], &dry["sample"]), (&json!(1), &json!(1), &json!([idle.base])));
    assert_eq!(status(&idle), 200);
    let gone = collect(json!({ "older_than_seconds": 0 }));
    assert_eq!((&gone["paths"], &gone["objects"], &gone["kept"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!([&library, &pinned, &promoted, &idle].map(status), [200, 200, 200, 404]);
    world.api("DELETE", "caches/staging/pins/release", &json!({}));
    let room = |bytes: u64| collect(json!({ "older_than_seconds": 0, "stored_bytes_max": bytes }));
    assert_eq!(room(1 << 40)["paths"], 0, "there is room for all of it");
    assert_eq!(room(0)["paths"], 2);
    assert_eq!([&library, &pinned, &promoted].map(status), [404, 404, 200], "an edition to go back to is kept whole");
    // What went can come again.
    library.push(&world, &token);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
    let trail = world.api("GET", "trail?after=0&limit=1000", &json!({}));
    let acts: Vec<&str> = trail["entries"].as_array().unwrap().iter().map(|one| one["act"].as_str().unwrap()).collect();
    for act in ["token create", "push", "pin", "promote", "rollback", "gc", "unpin"] {
        assert!(acts.contains(&act), "{act}: {acts:?}");
    }
}

#[test]
fn what_is_asked_for_is_told_and_known_after_a_restart() {
    let mut world = World::new();
    let token = world.token("staging", &["push"]);
    let (library, idle) = (Made::new("library-1.0", "l"), Made::new("idle-1.0", "i"));
    for made in [&library, &idle] {
        made.push(&world, &token);
    }
    let used = |world: &World, made: &Made| {
        world.api("GET", &format!("caches/staging/why/{}", made.hash), &json!({}))["used"].clone()
    };
    assert_eq!(used(&world, &library), Value::Null);
    assert_eq!(world.ask(&format!("GET /staging/{}", library.nar_url()), &token, b"").status, 200);
    // It is written down when the server ends.
    let mut child = world.take_child();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
    world.start(&[]);
    let day = used(&world, &library).as_str().unwrap().to_owned();
    let status = world.api("GET", "status", &json!({}));
    assert!(status["uses_since"].as_str().unwrap() <= format!("{day}T99").as_str(), "{status} {day}");
    assert_eq!(used(&world, &idle), Value::Null);
    assert_eq!(world.ask(&format!("GET /staging/{}.narinfo", idle.hash), &token, b"").status, 200);
    assert_eq!(used(&world, &idle), json!(day));
    let wish = json!({ "older_than_seconds": 0, "unused_for_days": 1 });
    assert_eq!(world.api("POST", "gc", &wish)["paths"], 0, "nobody knows uses for so long");
    assert_eq!(world.ask("POST /-/api/1/gc", &world.admin, b"{\"unused_for_days\": -1}").status, 400);
    assert!(world.ask("GET /", &world.admin, b"").text().contains("<p>2 paths were asked for in the last 30 days"));
}

#[test]
fn a_check_finds_a_changed_byte_a_missing_file_and_a_stray_one() {
    let mut world = World::new();
    let token = world.token("staging", &["push"]);
    let (changed, missing) = (Made::new("changed-1.0", "c"), Made::new("missing-1.0", "m"));
    changed.push(&world, &token);
    missing.push(&world, &token);
    world.kill();
    let file = |made: &Made| {
        let name = made.nar_url().strip_prefix("nar/").unwrap().to_owned();
        world.path("data/objects").join(&name[..2]).join(name)
    };
    let mut bytes = std::fs::read(file(&changed)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    aux_io::file::replace(file(&changed), &bytes).unwrap();
    std::fs::remove_file(file(&missing)).unwrap();
    aux_io::file::replace(world.path("data/objects/stray"), b"x").unwrap();
    world.start(&[]);
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!(checked["clean"], false);
    let kinds: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["object", "object", "file", "path", "path"], "{checked}");
    let paths = checked["problems"].as_array().unwrap()[3..].iter().map(|one| one["subject"].as_str().unwrap());
    let mut named: Vec<_> = paths.map(|path| path.rsplit('-').nth(1).unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, ["changed", "missing"], "whose NARs they are");
    assert!(!checked.to_string().contains(world.path("").to_str().unwrap()));
}

#[test]
fn a_token_is_for_its_cache_its_names_and_its_time() {
    let world = World::new();
    let made = |wish: Value| world.api("POST", "tokens", &wish)["token"].as_str().unwrap().to_owned();
    let narrow = made(json!({ "label": "x", "cache": "staging", "rights": ["push"], "names": "ours-*" }));
    let (ours, theirs) = (Made::new("ours-1.0", "o"), Made::new("theirs-1.0", "t"));
    ours.push(&world, &narrow);
    assert_eq!(theirs.put_nar(&world, &narrow).status, 201);
    assert_eq!(theirs.put_narinfo(&world, &narrow, &theirs.narinfo(&world)).status, 403);
    for (head, body) in [
        ("POST /-/api/1/gc", "{}"),
        ("GET /-/api/1/trail", ""),
        ("GET /-/api/1/tokens", ""),
        ("POST /-/api/1/views/vetted/promote", "{\"paths\": []}"),
        ("PATCH /-/api/1/caches/staging", "{}"),
        ("POST /-/api/1/caches/staging/withdraw", "{}"),
        ("GET /", ""),
        ("GET /-/metrics", ""),
    ] {
        assert_eq!(world.ask(head, &narrow, body.as_bytes()).status, 403, "{head}");
        assert_eq!(world.ask(head, "", body.as_bytes()).status, 401, "{head}");
    }
    let past = json!({ "label": "x", "cache": "*", "rights": ["read"], "expires": "2001-01-01T00:00:00Z" });
    assert_eq!(world.ask("POST /-/api/1/tokens", &world.admin, past.to_string().as_bytes()).status, 422);
    let listed = world.api("GET", "tokens", &json!({}));
    assert!(!listed.to_string().contains(&narrow) && listed["tokens"][1]["token"].is_null());
    let kept = std::fs::read(world.path("data/cache.sqlite")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(&narrow), "a token's secret is not kept");
}

#[test]
fn a_cache_that_begins_to_sign_signs_what_it_has() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &token);
    let text = || world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"").text().to_owned();
    assert!(!text().contains("Sig: "));
    world.api("PATCH", "caches/staging", &json!({ "signs": true }));
    let info = aux_nix::NarInfo::parse(text().as_bytes()).unwrap();
    let keys = aux_nix::signature::TrustedKeys::parse(&world.public_key).unwrap();
    assert!(info.verify(&keys).is_ok());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server is tested as it runs, as a process")]
fn one_server_uses_a_folder_and_its_secrets_are_its_owners() {
    let world = World::new();
    let mode = |name: &str| std::fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("data"), mode("data/admin-token"), mode("data/signing-key")], [0o700, 0o600, 0o600]);
    let second = Command::new(env!("CARGO_BIN_EXE_aux-server"))
        .arg("--data")
        .arg(world.path("data"))
        .args(["--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another aux-server is using this folder"), "{said}");
    assert!(!world.log().contains(&world.admin), "no token stands in the log");
}

#[test]
fn a_key_is_replaced_while_clients_know_the_old_one_or_the_new() {
    let mut world = World::new();
    let token = world.token("staging", &["push"]);
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &token);
    world.api("POST", "views/vetted/promote", &json!({ "paths": [path.base] }));
    let signers = |world: &World| {
        let answer = world.ask(&format!("GET /vetted/{}.narinfo", path.hash), &world.admin, b"");
        let info = aux_nix::NarInfo::parse(answer.text().as_bytes()).unwrap();
        let is_by = |key: &str| info.verify(&aux_nix::signature::TrustedKeys::parse(key).unwrap()).is_ok();
        world.public_key.split(' ').map(is_by).collect::<Vec<_>>()
    };
    assert_eq!(signers(&world), [true]);
    let name = aux_nix::signature::KeyName::parse("team-2").unwrap();
    let new = aux_nix::signature::SecretKey::new(name, zeroize::Zeroizing::new([9; 32])).unwrap();
    let file = world.path("data/signing-key");
    let old = std::fs::read_to_string(&file).unwrap();
    let both = format!("{old}{}\n", new.reveal().as_str());
    for (keys, signed) in [(both.as_str(), &[true, true][..]), (new.reveal().as_str(), &[true])] {
        world.kill();
        aux_io::file::replace(&file, keys.as_bytes()).unwrap();
        world.start(&[]);
        assert_eq!(signers(&world), signed);
        assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
    }
    assert_eq!(world.public_key, new.public().to_string());
}

#[test]
fn told_to_stop_it_ends_with_zero_though_clients_are_idle() {
    let mut world = World::new();
    let _idle = std::net::TcpStream::connect(&world.listen).unwrap();
    assert_eq!(world.ask("GET /-/health", "", b"").status, 200);
    let mut child = world.take_child();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
