//! An unmodified Nix pushes and substitutes.

use std::fs;

use serde_json::json;

use crate::http::request;
use crate::world::{Nix, World, hash};

#[test]
fn a_closure_is_pushed_with_netrc_and_substituted_with_the_servers_key() {
    let world = World::new();
    let Some(nix) = Nix::new(&world, &world.token("*", &["push"])) else { return };
    let path = nix.build();
    let closure = nix.closure(&path);
    assert_eq!(closure.len(), 4);
    for packing in ["xz", "none", "zstd", "gzip", "bzip2", "br"] {
        world.api("POST", "caches", &json!({ "name": packing, "signs": true }));
        nix.run("nix", &["copy", "--to", &format!("{}?compression={packing}", world.url(packing)), &path]);
        assert_eq!(world.api("GET", &format!("caches/{packing}"), &json!({}))["paths"], 4);
    }
    let url = world.url("xz");
    // Who pushed remembers narinfos as it wrote them, and finds the NARs that they name.
    let third = nix.second_store("third");
    let from = ["copy", "--from", &url, "--to", &third, "--no-check-sigs", &path];
    nix.run("nix", &from);
    nix.forget();

    let second = nix.second_store("second");
    let from = ["copy", "--from", &url, "--to", &second, "--option", "trusted-public-keys"];
    let refused = nix.fail("nix", &[&from[..], &["", &path]].concat());
    assert!(refused.contains("lacks a valid signature") || refused.contains("lacks a signature"), "{refused}");
    nix.run("nix", &[&from[..], &[&world.public_key, &path]].concat());
    for one in closure {
        let copied = world.path("second").join("nix/store").join(one.rsplit('/').next().unwrap());
        assert!(copied.exists(), "{}", copied.display());
    }
}

/// What Nix packs so is kept so, served so, checked, and pulled through another server.
#[test]
fn nars_in_bzip2_and_brotli_go_all_the_ways_that_others_go() {
    for (packing, suffix) in [("bzip2", "bz2"), ("br", "br")] {
        let mut far = World::new();
        far.api("PATCH", "caches/staging", &json!({ "anonymous": true, "signs": true }));
        let token = far.token("*", &["push"]);
        let Some(nix) = Nix::new(&far, &token) else { return };
        let path = nix.build();
        let staging = format!("{}?compression={packing}", far.url("staging"));
        nix.run("nix", &["copy", "--to", &staging, &path]);
        // Whoever pushed asks under the name it gave.
        let third = nix.second_store("third");
        nix.run("nix", &["copy", "--from", &far.url("staging"), "--to", &third, "--no-check-sigs", &path]);
        let is_packed_so = |world: &World| {
            let said = world.ask(&format!("GET /staging/{}.narinfo", hash(&path)), "", b"").text().to_owned();
            let url = said.lines().find(|line| line.starts_with("URL: ")).unwrap();
            said.contains(&format!("\nCompression: {packing}\n")) && url.ends_with(&format!(".nar.{suffix}"))
        };
        assert!(is_packed_so(&far));
        assert_eq!(far.api("POST", "fsck", &json!({}))["clean"], true);
        // The records are read again after a restart.
        far.kill();
        far.start(&[]);
        assert_eq!(far.api("POST", "fsck", &json!({}))["clean"], true);

        let near = World::beside(&far);
        near.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
        let wish = json!({ "url": far.url("staging"), "keys": [far.public_key] });
        near.api("PUT", "caches/staging/upstreams/far", &wish);
        let nix = Nix::new(&far, &token).unwrap();
        nix.forget();
        let (from, second) = (near.url("staging"), nix.second_store("second"));
        let from = ["copy", "--from", &from, "--to", &second, "--option", "trusted-public-keys"];
        nix.run("nix", &[&from[..], &[&far.public_key, &path]].concat());
        for one in nix.closure(&path) {
            let copied = far.path("second").join("nix/store").join(one.rsplit('/').next().unwrap());
            assert!(copied.exists(), "{}", copied.display());
        }
        assert_eq!(near.api("GET", "caches/staging", &json!({}))["paths"], 4, "{packing}");
        assert!(is_packed_so(&near));
        assert_eq!(near.api("POST", "fsck", &json!({}))["clean"], true);
    }
}

#[test]
fn without_a_token_nothing_is_told_and_a_revoked_one_opens_nothing() {
    let world = World::new();
    let made = world.api("POST", "tokens", &json!({ "label": "x", "cache": "staging", "rights": ["push"] }));
    let token = made["token"].as_str().unwrap();
    let Some(nix) = Nix::new(&world, token) else { return };
    let path = nix.build();
    nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
    let narinfo = format!("GET /staging/{}.narinfo", hash(&path));
    assert_eq!(world.ask(&narinfo, token, b"").status, 200);
    assert_eq!(world.ask(&narinfo, "", b"").status, 401);
    assert_eq!(world.ask("GET /none/nix-cache-info", "", b"").status, 401);
    assert_eq!(world.ask("GET /none/nix-cache-info", token, b"").status, 403);
    assert_eq!(world.ask(&narinfo.replace("staging", "vetted"), token, b"").status, 403);
    world.api("DELETE", &format!("tokens/{}", made["id"].as_str().unwrap()), &json!({}));
    assert_eq!(world.ask(&narinfo, token, b"").status, 401);
    let refused = nix.fail("nix", &["copy", "--to", &world.url("staging"), "--refresh", &path]);
    assert!(refused.contains("401"), "{refused}");
    world.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
    assert_eq!(world.ask(&narinfo, "", b"").status, 200);
    assert_eq!(world.ask(&narinfo.replace("GET", "PUT"), "", b"x").status, 401);
}

#[test]
fn a_nar_is_sent_whole_or_in_part_and_never_short() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let Some(nix) = Nix::new(&world, &token) else { return };
    let path = nix.build();
    nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
    let narinfo = world.ask(&format!("GET /staging/{}.narinfo", hash(&path)), &token, b"");
    assert_eq!(narinfo.header("content-type"), Some("text/x-nix-narinfo"));
    let url = narinfo.text().lines().find_map(|line| line.strip_prefix("URL: ")).unwrap();
    let nar = world.ask(&format!("GET /staging/{url}"), &token, b"");
    let tag = nar.header("etag").unwrap();
    assert!(narinfo.text().contains(&format!("FileHash: sha256:{}", tag.trim_matches('"'))));
    let head = world.ask(&format!("HEAD /staging/{url}"), &token, b"");
    assert_eq!((head.status, head.header("content-length")), (200, nar.header("content-length")));
    let bearer = format!("Bearer {token}");
    let with = |name, value| {
        let headers = [("Authorization", bearer.as_str()), (name, value)];
        request(&world.listen, &format!("GET /staging/{url}"), &headers, b"")
    };
    let part = with("Range", "bytes=3-9");
    assert_eq!((part.status, &part.body[..]), (206, &nar.body[3..10]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 3-9/{}", nar.body.len())));
    assert_eq!(with("Range", "bytes=999999-").status, 416);
    assert_eq!(with("If-None-Match", tag).status, 304);
    // The same NAR under a cache that has no path with it is not there.
    world.api("POST", "caches", &json!({ "name": "other", "anonymous": true }));
    assert_eq!(world.ask(&format!("GET /other/{url}"), "", b"").status, 404);
    // A file that lost its end is no answer at all, and the log says which.
    let shard = url.strip_prefix("nar/").unwrap();
    let file = world.path("data/objects").join(&shard[..2]).join(shard.strip_suffix(".xz").unwrap());
    let bytes = fs::read(&file).unwrap();
    aux_io::file::replace(&file, &bytes[..bytes.len() - 1]).unwrap();
    let broken = world.ask(&format!("GET /staging/{url}"), &token, b"");
    assert_eq!((broken.status, broken.text()), (500, "Internal Server Error\n"));
    assert!(world.log().contains("bytes on disk"), "{}", world.log());
}

/// Content-addressed derivations, which Nix 2.8 has as an experiment.
const BY_CONTENT: &str = r#"
derivation {
  name = "by-content-1.0";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "echo content > $out" ];
  __contentAddressed = true;
  outputHashMode = "recursive";
  outputHashAlgo = "sha256";
}
"#;

#[test]
fn what_is_addressed_by_content_needs_no_signature_and_its_realisation_is_kept() {
    let world = World::new();
    world.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
    let Some(nix) = Nix::new(&world, &world.token("staging", &["push"])) else { return };
    aux_io::file::replace(world.path("by-content.nix"), BY_CONTENT.as_bytes()).unwrap();
    let file = world.path("by-content.nix");
    let features = ["--option", "experimental-features", "nix-command ca-derivations"];
    let built = nix.run("nix-build", &[&["--no-out-link", file.to_str().unwrap()][..], &features].concat());
    let path = String::from_utf8(built.stdout).unwrap().trim().to_owned();
    let url = world.url("staging");
    let installable = ["-f", file.to_str().unwrap()];
    nix.run("nix", &[&["copy", "--to", &url][..], &installable, &features].concat());
    let narinfo = world.ask(&format!("GET /staging/{}.narinfo", hash(&path)), "", b"");
    assert!(narinfo.text().contains("\nCA: fixed:r:sha256:"), "{}", narinfo.text());
    let second = nix.second_store("second");
    nix.run("nix", &["copy", "--from", &url, "--to", &second, "--option", "trusted-public-keys", "", &path]);
    let trail = world.api("GET", "trail", &json!({}));
    let put = trail["entries"].as_array().unwrap().iter().find(|entry| entry["act"] == "put").unwrap();
    assert_eq!(put["detail"], "realisation");
    let name = put["subject"].as_str().unwrap();
    let realisation = world.ask(&format!("GET /staging/realisations/{name}.doi"), "", b"");
    assert_eq!(realisation.json()["outPath"], path.rsplit('/').next().unwrap());
    assert_eq!(world.ask(&format!("GET /vetted/realisations/{name}.doi"), &world.admin, b"").status, 200);
}
