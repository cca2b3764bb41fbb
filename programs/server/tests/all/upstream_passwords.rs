//! Upstreams that want a password: it reaches them, and nobody else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::corpora::in_ci;
use crate::foreign::{Foreign, Foreigner, key, redirect};
use crate::http::Answer;
use crate::pushing::Made;
use crate::world::{Nix, World, hash};

/// Starts a server anew with a netrc file.
fn with_netrc(world: &mut World, netrc: &str) {
    let path = world.path("netrc");
    aux_io::file::replace(&path, netrc.as_bytes()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    world.kill();
    world.start(&["--netrc-file", path.to_str().unwrap()]);
}

fn follow(near: &World, url: &str, key: &str, redirects: &[&str]) -> Value {
    let wish = json!({ "url": url, "keys": [key], "redirects": redirects });
    near.api("PUT", "caches/staging/upstreams/far", &wish)
}

fn narinfo(near: &World, hash: &str) -> Answer {
    near.ask(&format!("GET /staging/{hash}.narinfo"), &near.admin, b"")
}

/// Whether a word stands anywhere where somebody could read it, as it is or in base 64.
fn is_shown(world: &World, secret: &str) -> bool {
    let upstreams = world.api("GET", "caches/staging/upstreams", &json!({})).to_string();
    let page = world.ask("GET /", &world.admin, b"").text().to_owned();
    let metrics = world.ask("GET /-/metrics", &world.admin, b"").text().to_owned();
    let trail = world.api("GET", "trail?limit=1000", &json!({})).to_string();
    let encoded = STANDARD.encode(secret);
    [world.log(), upstreams, page, metrics, trail].iter().any(|text| text.contains(secret) || text.contains(&encoded))
}

#[test]
fn a_private_cache_is_pulled_through_with_the_netrc_file_that_nix_has() {
    let far = World::new();
    let mut near = World::beside(&far);
    far.api("PATCH", "caches/staging", &json!({ "signs": true }));
    let token = far.token("staging", &["push"]);
    let Some(nix) = Nix::new(&far, &token) else { return };
    let path = nix.build();
    nix.run("nix", &["copy", "--to", &far.url("staging"), &path]);
    // Nobody without the token.
    follow(&near, &far.url("staging"), &far.public_key, &[]);
    let refused = narinfo(&near, &hash(&path));
    assert_eq!((refused.status, refused.header("aux-unanswered")), (404, Some("far")));
    let told = near.api("GET", "caches/staging/upstreams", &json!({}));
    assert!(told["upstreams"][0]["last_failure"]["what"].as_str().unwrap().contains("401"), "{told}");

    let netrc = fs::read_to_string(far.path("conf/netrc")).unwrap();
    assert!(netrc.contains(&token));
    with_netrc(&mut near, &netrc);
    assert_eq!(narinfo(&near, &hash(&path)).status, 200);
    nix.forget();
    let nix = Nix::new(&far, &near.admin).unwrap();
    let (from, second) = (near.url("staging"), nix.second_store("second"));
    nix.run(
        "nix",
        &["copy", "--from", &from, "--to", &second, "--option", "trusted-public-keys", &far.public_key, &path],
    );
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 4);
    assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    // What goes over the wire has the login in front.
    assert!(!is_shown(&near, &token) && !is_shown(&near, &format!("nix:{token}")));
}

#[test]
fn a_password_that_opens_nothing_is_said_and_not_taken_for_a_lack() {
    let far = World::new();
    let mut near = World::beside(&far);
    far.api("PATCH", "caches/staging", &json!({ "signs": true }));
    let path = Made::new("hello-1.0", "hello");
    path.push(&far, &far.token("staging", &["push"]));
    let other = far.token("vetted", &["read"]);
    for (token, status) in [("aux_wrong", "401"), (&*other, "403")] {
        with_netrc(&mut near, &format!("machine 127.0.0.1 password {token}\n"));
        follow(&near, &far.url("staging"), &far.public_key, &[]);
        let refused = narinfo(&near, &path.hash);
        assert_eq!((refused.status, refused.header("aux-unanswered")), (404, Some("far")), "{token}");
        let told = near.api("GET", "caches/staging/upstreams", &json!({}));
        assert!(told["upstreams"][0]["last_failure"]["what"].as_str().unwrap().contains(status), "{told}");
        assert!(!is_shown(&near, token) && !is_shown(&near, &format!(":{token}")));
    }
}

#[test]
fn a_password_goes_to_no_other_server_even_where_one_is_redirected_to() {
    let mut near = World::new();
    let (front, store) = (Foreign::new(), Foreign::new());
    let signer = key("far-1", 5);
    let path = Foreigner::new(&near, "hello-1.0", &[]).signed(&signer);
    store.offer(&path);
    let nar = path.info.url.as_str().to_owned();
    for name in [path.narinfo_name(), nar.clone()] {
        front.put(&name, redirect(&format!("{}/{name}", store.url)));
    }
    // The entry is for the other one too, if it were asked for by itself.
    with_netrc(&mut near, "default login nix password s3cret\n");
    follow(&near, &front.url, &signer.public().to_string(), &[&store.url]);
    assert_eq!(narinfo(&near, path.info.path.digest()).status, 200);
    let url = narinfo(&near, path.info.path.digest());
    let url = url.text().lines().find_map(|line| line.strip_prefix("URL: ")).unwrap().to_owned();
    let got = near.ask(&format!("GET /staging/{url}"), &near.admin, b"");
    assert_eq!((got.status, got.body), (200, path.nar.clone()));
    let expected = format!("Basic {}", STANDARD.encode("nix:s3cret"));
    assert_eq!(front.authorizations(), vec![Some(expected); 2]);
    assert_eq!(store.authorizations(), [None, None]);
    assert!(!is_shown(&near, "s3cret") && !is_shown(&near, "nix:s3cret"));
}

#[test]
fn what_is_in_the_clear_gets_no_password_and_the_log_says_so() {
    let mut near = World::new();
    with_netrc(&mut near, "machine 192.0.2.1 login nix password s3cret\n");
    follow(&near, "http://192.0.2.1/cache", &key("far-1", 5).public().to_string(), &[]);
    let said = "upstream far: its password is not sent, because http://192.0.2.1/cache is in the clear";
    assert!(near.log().contains(said), "{}", near.log());
    assert!(!is_shown(&near, "s3cret"));
}

#[test]
fn a_netrc_file_that_others_may_read_or_that_is_none_ends_the_start() {
    let world = World::prepared();
    let path = world.path("netrc");
    let refused = |text: &str, mode: u32, says: &str| {
        aux_io::file::replace(&path, text.as_bytes()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let told = world.refused(&["--netrc-file", path.to_str().unwrap()]);
        assert!(told.contains(&format!("{}: {says}", path.display())) && !told.contains("s3cret"), "{told}");
    };
    refused("default password s3cret\n", 0o644, "others may read this file");
    refused("default password s3cret\n", 0o640, "others may read this file");
    refused("\npassword s3cret\n", 0o600, "line 2: stands before the first");
    refused("machine a password s3cret s3cret\n", 0o600, "line 1: is no word of a netrc file");
}

/// Nix reads the file by the library of curl, whose program is asked here.
#[test]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a real peer; a test that skips must say so")]
fn a_netrc_file_means_what_it_means_to_curl() {
    let mut near = World::new();
    let front = Foreign::new();
    let signer = key("far-1", 5).public().to_string();
    for netrc in [
        "machine 127.0.0.1 login a password b",
        "machine 127.0.0.1 password only",
        "machine other.example login a password b\nmachine 127.0.0.1 login c password d",
        "machine 127.0.0.1 login a password b\nmachine 127.0.0.1 login c password d",
        "machine 127.0.0.1 login a\nmachine 127.0.0.1 login c password d",
        "default login x password y\nmachine 127.0.0.1 login a password b",
        "# ours\nmachine 127.0.0.1\n\tlogin a\n\tpassword \"q \\\"x#\" # theirs",
        "machine 127.0.0.1 account z login a password b",
    ] {
        with_netrc(&mut near, &format!("{netrc}\n"));
        follow(&near, &front.url, &signer, &[]);
        assert_eq!(narinfo(&near, &"0".repeat(32)).status, 404);
        let curl =
            Command::new("curl").args(["--silent", "--netrc-file"]).arg(near.path("netrc")).arg(&front.url).status();
        if curl.is_err() {
            assert!(!in_ci(), "curl is not installed");
            return eprintln!("skipped: no curl; `apt-get install curl` would bring it");
        }
        let sent = front.authorizations();
        let [.., ours, theirs] = sent.as_slice() else { panic!("{sent:?}") };
        assert!(ours.is_some() && ours == theirs, "{netrc}: {sent:?}");
    }
}
