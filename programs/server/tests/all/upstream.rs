//! What a cache lacks comes through it from others, to an unmodified Nix.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use aux_nix::signature::SecretKey;
use serde_json::{Value, json};

use crate::foreign::{Foreign, Foreigner, dripping, key, redirect};
use crate::http::{Answer, request};
use crate::nginx::Nginx;
use crate::pushing::Made;
use crate::world::{Nix, World, hash};

/// Gives the cache `staging` of a server another's as upstream.
fn follow(near: &World, far: &World) -> Value {
    let wish = json!({ "url": far.url("staging"), "keys": [far.public_key] });
    near.api("PUT", "caches/staging/upstreams/far", &wish)
}

#[test]
fn a_closure_is_substituted_through_the_cache_and_stays_when_the_upstream_is_gone() {
    let mut far = World::new();
    let near = World::beside(&far);
    for world in [&far, &near] {
        world.api("PATCH", "caches/staging", &json!({ "anonymous": true, "signs": true }));
    }
    follow(&near, &far);
    let token = far.token("staging", &["push"]);
    let keys = (far.public_key.clone(), near.public_key.clone());
    let nix = Nix::new(&far, &token);
    let Some(nix) = nix else { return };
    let path = nix.build();
    let closure = nix.closure(&path);
    nix.run("nix", &["copy", "--to", &far.url("staging"), &path]);
    let narinfo = near.ask(&format!("GET /staging/{}.narinfo", hash(&path)), "", b"");
    for key in [&keys.0, &keys.1] {
        let name = key.split(':').next().unwrap();
        assert!(narinfo.text().contains(&format!("\nSig: {name}:")), "{}", narinfo.text());
    }
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 0, "an offer is no path");
    // A client that trusts the near server alone.
    let second = nix.second_store("second");
    let from = near.url("staging");
    nix.run("nix", &["copy", "--from", &from, "--to", &second, "--option", "trusted-public-keys", &keys.1, &path]);
    for one in &closure {
        let copied = far.path("second").join("nix/store").join(one.rsplit('/').next().unwrap());
        assert!(copied.exists(), "{}", copied.display());
    }
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 4);
    let trail = near.api("GET", "trail", &json!({}));
    let pulled = trail["entries"].as_array().unwrap().iter().filter(|entry| entry["by"] == "upstream far").count();
    assert_eq!(pulled, 4, "{trail}");
    assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    // Gone and forgotten.
    let child = far.take_child();
    drop(Killed(child));
    let nix = Nix::new(&far, &token).unwrap();
    nix.forget();
    let third = nix.second_store("third");
    nix.run("nix", &["copy", "--from", &from, "--to", &third, "--option", "trusted-public-keys", &keys.0, &path]);
}

/// A server that ends here.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A folder served by a real nginx, in the clear or with TLS, and its URL.
fn serve(world: &World, folder: &str, has_tls: bool) -> Option<(Nginx, String)> {
    let tls = Nginx::tls();
    let keys = format!("ssl_certificate {0}/server.pem; ssl_certificate_key {0}/server.key;", tls.display());
    let (ssl, keys) = if has_tls { (" ssl", keys) } else { Default::default() };
    let root = world.path(folder);
    let nginx = Nginx::start(&world.path("nginx"), &|port| {
        format!("server {{ listen 127.0.0.1:{port}{ssl}; {keys} location / {{ root {}; }} }}", root.display())
    })?;
    let url = if has_tls { "https://localhost" } else { "http://127.0.0.1" };
    let url = format!("{url}:{}", nginx.port);
    Some((nginx, url))
}

#[test]
fn what_nix_wrote_into_a_folder_is_pulled_through_nginx_in_the_clear_and_with_tls() {
    for has_tls in [false, true] {
        let home = World::new();
        let near = World::believing(&home, Nginx::tls().join("authority.pem"));
        near.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
        let Some(nix) = Nix::new(&home, "") else { return };
        let path = nix.build();
        let secret = home.path("secret-key");
        let (name, file) = ("folder-1", secret.to_str().unwrap());
        nix.run("nix-store", &["--generate-binary-cache-key", name, file, home.path("public-key").to_str().unwrap()]);
        let public = fs::read_to_string(home.path("public-key")).unwrap();
        let folder = format!("file://{}?secret-key={file}", home.path("folder").display());
        nix.run("nix", &["copy", "--to", &folder, &path]);
        let Some((_nginx, url)) = serve(&home, "folder", has_tls) else { return };
        let wish = json!({ "url": url, "keys": [public.trim()] });
        near.api("PUT", "caches/staging/upstreams/folder", &wish);
        let second = nix.second_store("second");
        let from = near.url("staging");
        let copy = ["copy", "--from", &from, "--to", &second, "--option", "trusted-public-keys"];
        let refused = nix.fail("nix", &[&copy[..], &["", &path]].concat());
        assert!(refused.contains("signature"), "{refused}");
        nix.run("nix", &[&copy[..], &[public.trim(), &path]].concat());
        assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 4, "{}", near.log());
        let state = &near.api("GET", "caches/staging/upstreams", &json!({}))["upstreams"][0];
        assert_eq!((&state["pulled"]["paths"], &state["answers"]["offered"]), (&json!(4), &json!(4)), "{state}");
        assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    }
}

/// A cache with an upstream of a few lines.
fn with_foreign(terms: &Value) -> (World, Foreign, SecretKey) {
    let (near, far, key) = (World::new(), Foreign::new(), key("upstream-1", 1));
    near.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
    let mut wish = json!({ "url": far.url, "keys": [key.public().to_string()] });
    wish.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    near.api("PUT", "caches/staging/upstreams/far", &wish);
    (near, far, key)
}

fn narinfo(near: &World, path: &Foreigner) -> Answer {
    near.ask(&format!("GET /staging/{}", path.narinfo_name()), "", b"")
}

fn nar_url(narinfo: &Answer) -> String {
    narinfo.text().lines().find_map(|line| line.strip_prefix("URL: ")).unwrap().to_owned()
}

#[test]
fn a_dead_upstream_is_left_alone_and_everybody_can_see_it() {
    let (near, far, key) = with_foreign(&json!({}));
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wish = json!({ "url": format!("http://{dead}/"), "keys": [key.public().to_string()], "priority": 1 });
    near.api("PUT", "caches/staging/upstreams/dead", &wish);
    for number in 0..5 {
        let path = Foreigner::new(&near, &format!("lib-{number}"), &[]).signed(&key);
        // Another has it, and no answer is no answer: the miss says who was silent.
        if number % 2 == 0 {
            far.offer(&path);
            assert_eq!(narinfo(&near, &path).status, 200, "{}", near.log());
        } else {
            let missed = narinfo(&near, &path);
            assert_eq!((missed.status, missed.header("aux-unanswered")), (404, Some("dead")));
        }
    }
    let state = near.api("GET", "caches/staging/upstreams", &json!({}));
    let (dead, far) = (&state["upstreams"][0], &state["upstreams"][1]);
    assert_eq!((&dead["name"], &dead["breaker"], &far["breaker"]), (&json!("dead"), &json!("open"), &json!("closed")));
    assert_eq!((&dead["answers"]["failed"], &dead["answers"]["skipped"]), (&json!(3), &json!(2)), "{dead}");
    assert!(dead["open_for_seconds"].as_u64().unwrap() <= 30 && !dead["last_failure"]["what"].is_null());
    let metrics = near.ask("GET /-/metrics", &near.admin, b"");
    let line = "aux_cache_upstream_breaker{cache=\"staging\",upstream=\"dead\",state=\"open\"} 1\n";
    assert!(metrics.text().contains(line), "{}", metrics.text());
    let page = near.ask("GET /", &near.admin, b"");
    assert!(page.text().contains("Upstreams") && page.text().contains("left alone"), "{}", page.text());
}

#[test]
fn an_upstream_that_drips_is_not_waited_for_longer_than_it_may_take() {
    let (near, far, key) = with_foreign(&json!({}));
    let slow = Foreign::new();
    let wish = json!({ "url": slow.url, "keys": [key.public().to_string()], "priority": 1, "budget_milliseconds": 50 });
    near.api("PUT", "caches/staging/upstreams/slow", &wish);
    for name in ["one-1.0", "two-1.0", "three-1.0"] {
        let path = Foreigner::new(&near, name, &[]).signed(&key);
        slow.put(&path.narinfo_name(), dripping());
        far.offer(&path);
        assert_eq!(narinfo(&near, &path).status, 200, "{}", near.log());
    }
    assert_eq!(near.api("GET", "caches/staging/upstreams", &json!({}))["upstreams"][0]["breaker"], "open");
}

#[test]
fn many_who_ask_for_the_same_cost_the_upstream_one_question_and_one_fetch() {
    let (near, far, key) = with_foreign(&json!({}));
    let path = Foreigner::new(&near, "asked-by-many-1.0", &[]).signed(&key);
    far.offer(&path);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let offered = narinfo(&near, &path);
                let nar = near.ask(&format!("GET /staging/{}", nar_url(&offered)), "", b"");
                assert_eq!((nar.status, &nar.body), (200, &path.nar));
            });
        }
    });
    assert_eq!((far.asked(".narinfo"), far.asked(".nar")), (1, 1));
    let head = near.ask(&format!("HEAD /staging/{}", path.narinfo_name()), "", b"");
    assert_eq!(head.status, 200);
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 1);
}

#[test]
fn that_nobody_has_a_path_is_remembered_until_somebody_pushes_it() {
    let (near, far, _) = with_foreign(&json!({}));
    let made = Made::new("pushed-1.0", "pushed");
    for method in ["HEAD", "GET", "GET"] {
        assert_eq!(near.ask(&format!("{method} /staging/{}.narinfo", made.hash), "", b"").status, 404);
    }
    assert_eq!(far.asked(".narinfo"), 1);
    made.push(&near, &near.token("staging", &["push"]));
    assert_eq!(near.ask(&format!("GET /staging/{}.narinfo", made.hash), "", b"").status, 200);
}

#[test]
fn a_pushed_path_brings_what_it_needs_from_upstream_and_the_cache_stays_closed() {
    let (near, far, key) = with_foreign(&json!({}));
    let library = Foreigner::new(&near, "libc-1.0", &[]).signed(&key);
    let middle = Foreigner::new(&near, "libssl-1.0", &[&library]).signed(&key);
    far.offer(&library);
    far.offer(&middle);
    // What a plain Nix does: it is told that the libraries are there, and pushes the program alone.
    assert_eq!(narinfo(&near, &middle).status, 200);
    let program = Made::new("program-1.0", "program").needing(middle.base().as_str());
    program.push(&near, &near.token("staging", &["push"]));
    assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 3);
    assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    // What nobody has is still missing.
    let other = Made::new("program-2.0", "program").needing(&Made::new("missing-1.0", "x").base);
    let token = near.token("staging", &["push"]);
    assert_eq!(other.put_nar(&near, &token).status, 201);
    assert_eq!(other.put_narinfo(&near, &token, &other.narinfo(&near)).status, 422);
}

#[test]
fn only_wanted_names_are_taken_and_what_is_withdrawn_or_removed_comes_from_nowhere() {
    let rules = json!({ "names": ["hello-*", "lib*"], "names_not": ["*-unfree-*"], "redirects": [] });
    let (near, far, key) = with_foreign(&rules);
    for (name, status) in [("hello-1.0", 200), ("other-1.0", 404), ("hello-unfree-1.0", 404)] {
        let path = Foreigner::new(&near, name, &[]).signed(&key);
        far.offer(&path);
        assert_eq!(narinfo(&near, &path).status, status, "{name}");
    }
    let library = Foreigner::new(&near, "lib-1.0", &[]).signed(&key);
    let hello = Foreigner::new(&near, "hello-2.0", &[&library]).signed(&key);
    far.offer(&library);
    far.offer(&hello);
    let url = nar_url(&narinfo(&near, &library));
    assert_eq!(near.ask(&format!("GET /staging/{url}"), "", b"").status, 200);
    let url = nar_url(&narinfo(&near, &hello));
    let wish = json!({ "path": library.base().to_string(), "reason": "CVE-2021-3711" });
    near.api("POST", "caches/staging/withdraw", &wish);
    for path in [&library, &hello] {
        let hidden = narinfo(&near, path);
        assert_eq!((hidden.status, hidden.header("aux-withdrawn")), (404, Some("CVE-2021-3711")));
    }
    assert_eq!(near.ask(&format!("GET /staging/{url}"), "", b"").status, 404);
    near.api("DELETE", "caches/staging/upstreams/far", &json!({}));
    let hello = Foreigner::new(&near, "hello-1.0", &[]).signed(&key);
    assert_eq!(narinfo(&near, &hello).status, 404, "an offer goes with its upstream");
}

#[test]
fn a_redirect_is_followed_to_where_the_administrator_said_it_may_lead() {
    let store = Foreign::new();
    let (near, far, key) = with_foreign(&json!({ "redirects": [store.url] }));
    let path = Foreigner::new(&near, "hello-1.0", &[]).signed(&key);
    store.offer(&path);
    far.put(&path.narinfo_name(), redirect(&format!("{}/{}", store.url, path.narinfo_name())));
    far.put(path.info.url.as_str(), redirect(&format!("{}/{}", store.url, path.info.url)));
    let url = nar_url(&narinfo(&near, &path));
    assert_eq!(near.ask(&format!("GET /staging/{url}"), "", b"").body, path.nar);
}

#[test]
fn an_upstream_is_given_by_whoever_may_everything_and_with_all_it_needs() {
    let (near, far, key) = with_foreign(&json!({}));
    let good = json!({ "url": far.url, "keys": [key.public().to_string()] });
    let place = "PUT /-/api/1/caches/staging/upstreams/other";
    let token = near.token("staging", &["admin"]);
    assert_eq!(near.ask(place, &token, good.to_string().as_bytes()).status, 403);
    assert_eq!(near.ask("GET /-/api/1/caches/staging/upstreams", &token, b"").status, 200);
    for (field, value, word) in [
        ("keys", json!([]), "key"),
        ("keys", json!(["upstream-1:AAAA"]), "key"),
        ("url", json!("file:///etc"), "upstream"),
        ("url", json!("ftp://example.org"), "upstream"),
        ("url", json!("https://user:secret@example.org"), "upstream"),
        ("url", json!("https://example.org/?priority=1"), "upstream"),
        ("budget_milliseconds", json!(2_001), "upstream"),
        ("budget_milliseconds", json!(0), "upstream"),
        ("names", json!(["a/b"]), "name"),
        ("names", json!(vec!["x"; 65]), "upstream"),
    ] {
        let mut wish = good.clone();
        wish[field] = value;
        let answer = near.ask(place, &near.admin, wish.to_string().as_bytes());
        assert_eq!((answer.status, &answer.json()["error"]), (422, &json!(word)), "{wish}: {}", answer.text());
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
    let view = near.ask(&place.replace("staging", "vetted"), &near.admin, good.to_string().as_bytes());
    assert_eq!((view.status, &view.json()["error"]), (422, &json!("no-cache")));
    for number in 1..16 {
        near.api("PUT", &format!("caches/staging/upstreams/u{number}"), &good);
    }
    let many = near.ask(place, &near.admin, good.to_string().as_bytes());
    assert_eq!((many.status, &many.json()["error"]), (422, &json!("too-many")));
    assert_eq!(near.ask("DELETE /-/api/1/caches/staging/upstreams/none", &near.admin, b"").status, 404);
}

#[test]
fn two_caches_that_ask_each_other_do_not_ask_in_a_circle() {
    let one = World::new();
    let two = World::beside(&one);
    for (from, to) in [(&one, &two), (&two, &one)] {
        from.api("PATCH", "caches/staging", &json!({ "anonymous": true, "signs": true }));
        follow(from, to);
    }
    let absent = Made::new("absent-1.0", "x");
    let missed = one.ask(&format!("GET /staging/{}.narinfo", absent.hash), "", b"");
    assert_eq!((missed.status, missed.header("aux-unanswered")), (404, None), "{}", two.log());
    let path = Made::new("there-1.0", "there");
    assert_eq!(path.put_nar(&two, &two.admin).status, 201);
    assert_eq!(path.put_narinfo(&two, &two.admin, &path.narinfo(&one)).status, 201, "{}", two.log());
    let offered = one.ask(&format!("GET /staging/{}.narinfo", path.hash), "", b"");
    assert_eq!(offered.status, 200, "{}", one.log());
}

#[test]
fn what_was_offered_before_a_restart_is_found_by_its_url_and_no_other_nar_is_fetched_for_it() {
    let (mut near, far, key) = with_foreign(&json!({}));
    let path = Foreigner::new(&near, "hello-1.0", &[]).signed(&key);
    far.offer(&path);
    let url = nar_url(&narinfo(&near, &path));
    near.kill();
    near.start(&[]);
    let own = path.info.nar_hash.nix32();
    let another = url.replace(&own, &aux_nix::Sha256::of(b"another").nix32());
    assert_eq!(near.ask(&format!("GET /staging/{another}"), "", b"").status, 404);
    assert_eq!(far.asked(".nar"), 0);
    let nar = near.ask(&format!("GET /staging/{url}"), "", b"");
    assert_eq!((nar.status, &nar.body), (200, &path.nar), "{}", near.log());
    // The narinfo that a client remembers goes on to hold, and so does the one that is served now.
    for url in [url, nar_url(&narinfo(&near, &path))] {
        let part = request(&near.listen, &format!("GET /staging/{url}"), &[("Range", "bytes=1-3")], b"");
        assert_eq!((part.status, &part.body[..]), (206, &path.nar[1..4]), "{url}");
    }
    assert_eq!(far.asked(".nar"), 1);
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_fetch_keeps_nothing_of_it() {
    let (mut near, far, key) = with_foreign(&json!({}));
    let path = Foreigner::new(&near, "hello-1.0", &[]).signed(&key);
    far.offer(&path);
    far.put(path.info.url.as_str(), dripping());
    let url = nar_url(&narinfo(&near, &path));
    let mut stream = TcpStream::connect(&near.listen).unwrap();
    write!(stream, "GET /staging/{url} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    while far.asked(".nar") == 0 {
        std::thread::yield_now();
    }
    near.kill();
    let mut nothing = Vec::new();
    assert!(stream.read_to_end(&mut nothing).is_err() || nothing.is_empty());
    near.start(&[]);
    let checked = near.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["objects"], &checked["leftovers"]), (&json!(true), &json!(0), &json!(0)));
    assert_eq!(fs::read_dir(near.path("data/incoming")).unwrap().count(), 0);
    far.offer(&path);
    assert_eq!(near.ask(&format!("GET /staging/{url}"), "", b"").body, path.nar);
}
