//! Upstreams that lie, send too much or lead elsewhere: nothing of it is served or kept, and the next upstream is asked.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

use aux_nix::narinfo::Compression;
use aux_nix::signature::SecretKey;
use aux_nix::{ContentAddress, Sha256};
use serde_json::{Value, json};

use crate::foreign::{Foreign, Foreigner, endless, key, redirect};
use crate::http_server::Answer;
use crate::world::World;

/// What an upstream does wrong, and its answer for a path that it may change first.
type Lie<'l> = (&'l str, &'l dyn Fn(&mut Foreigner) -> Answer);

/// A server whose cache `staging` has two upstreams, of which the first is not to be trusted far.
struct Trial {
    near: World,
    bad: Foreign,
    good: Foreign,
    key: SecretKey,
}

impl Trial {
    fn new() -> Self {
        let (near, bad, good, key) = (World::new(), Foreign::new(), Foreign::new(), key("upstream-1", 1));
        near.api("PATCH", "caches/staging", &json!({ "anonymous": true }));
        for (name, url, priority) in [("bad", &bad.url, 1), ("good", &good.url, 2)] {
            let wish = json!({ "url": url, "keys": [key.public().to_string()], "priority": priority });
            near.api("PUT", &format!("caches/staging/upstreams/{name}"), &wish);
        }
        Self { near, bad, good, key }
    }

    fn path(&self, name: &str) -> Foreigner {
        Foreigner::new(&self.near, name, &[]).signed(&self.key)
    }

    fn narinfo(&self, path: &Foreigner) -> crate::http::Answer {
        self.near.ask(&format!("GET /staging/{}", path.narinfo_name()), "", b"")
    }

    /// The path's NAR, under the name that the offered narinfo gives it.
    fn nar(&self, path: &Foreigner) -> crate::http::Answer {
        let offered = self.narinfo(path);
        assert_eq!(offered.status, 200, "{}: {}", path.base(), self.near.log());
        let url = offered.text().lines().find_map(|line| line.strip_prefix("URL: ")).unwrap().to_owned();
        self.near.ask(&format!("GET /staging/{url}"), "", b"")
    }

    fn bad_state(&self) -> Value {
        self.near.api("GET", "caches/staging/upstreams", &json!({}))["upstreams"][0].clone()
    }

    /// That nothing of a path was kept.
    fn assert_untouched(&self) {
        let checked = self.near.api("POST", "fsck", &json!({}));
        assert_eq!((&checked["clean"], &checked["leftovers"]), (&json!(true), &json!(0)), "{checked}");
        assert_eq!(fs::read_dir(self.near.path("data/incoming")).unwrap().count(), 0);
    }
}

#[test]
fn a_narinfo_that_lies_is_refused_and_the_next_upstream_is_asked() {
    let trial = Trial::new();
    let trap = Foreign::new();
    let other = trial.path("other-1.0");
    let text = |path: &Foreigner| path.info.print();
    let mut refusals = 0;
    let cases: [Lie<'_>; 15] = [
        ("unsigned", &|path| {
            path.info.signatures.clear();
            Answer::ok(text(path))
        }),
        ("signed-by-another", &|path| {
            path.info.signatures.clear();
            path.info.sign(&key("stranger-1", 2));
            Answer::ok(text(path))
        }),
        ("signed-in-the-name", &|path| {
            path.info.signatures.clear();
            path.info.sign(&key("upstream-1", 2));
            Answer::ok(text(path))
        }),
        ("changed-after", &|path| {
            path.info.nar_size += 1;
            Answer::ok(text(path))
        }),
        ("of-another-path", &|_| Answer::ok(text(&other))),
        ("of-another-store", &|path| {
            let store = trial.near.path("store").display().to_string();
            Answer::ok(text(path).replace(&store, "/nix/store"))
        }),
        ("twice", &|path| Answer::ok(text(path).repeat(2))),
        ("cut-off", &|path| Answer::ok(text(path).trim_end().to_owned())),
        ("rubbish", &|_| Answer::ok("<html>please log in</html>\n")),
        ("endless", &|_| endless(b"StorePath: /nix/store/x\n".repeat(4_096))),
        ("a-hundred-megabytes", &|_| Answer { cut_after: Some(100), ..Answer::ok(vec![b'x'; 100 << 20]) }),
        ("elsewhere", &|path| redirect(&format!("{}/{}", trap.url, path.narinfo_name()))),
        ("in-a-circle", &|path| redirect(&format!("/{}", path.narinfo_name()))),
        ("encoded", &|path| Answer::ok(text(path)).header("Content-Encoding", "br")),
        ("packed-otherwise", &|path| {
            path.info.compression = Compression::Lz4;
            Answer::ok(text(path))
        }),
    ];
    for (name, lie) in cases {
        let path = trial.path(&format!("{name}-1.0"));
        trap.offer(&path);
        let mut liar = path.clone();
        let reply = lie(&mut liar);
        trial.bad.put(&path.narinfo_name(), reply);
        // Alone, its answer is none at all.
        let alone = trial.narinfo(&path);
        assert_eq!((alone.status, alone.text()), (404, "Not Found\n"), "{name}");
        refusals += 1;
        assert_eq!(trial.bad_state()["answers"]["refused"], refusals, "{name}: {}", trial.bad_state());
        assert_eq!(trial.bad_state()["last_refusal"]["path"], path.base().digest());
        assert!(trial.near.log().contains(&format!("upstream bad: {}: refused: ", path.base().digest())));
        // With another that has it, that one's answer counts. The first miss is remembered, so that it is another path.
        let path = trial.path(&format!("{name}-2.0"));
        trial.good.offer(&path);
        trap.offer(&path);
        let reply = lie(&mut path.clone());
        trial.bad.put(&path.narinfo_name(), reply);
        assert_eq!(trial.nar(&path).body, path.nar, "{name}");
        refusals += 1;
    }
    let state = trial.bad_state();
    assert_eq!((&state["breaker"], &state["answers"]["refused"]), (&json!("closed"), &json!(refusals)), "{state}");
    assert_eq!(trap.asked(""), 0, "nobody follows an upstream to where the administrator did not point");
    trial.assert_untouched();
    assert_eq!(trial.near.api("GET", "caches/staging", &json!({}))["paths"], 15);
}

#[test]
fn a_content_address_that_is_not_borne_out_is_refused_and_one_that_cannot_be_told_yet_waits() {
    let trial = Trial::new();
    let mut forged = trial.path("forged-1.0");
    forged.info.content_address = ContentAddress::parse(&format!("fixed:r:{}", Sha256::of(&forged.nar))).ok();
    trial.bad.offer(&forged);
    assert_eq!(trial.narinfo(&forged).status, 404, "{}", trial.near.log());
    // A path that follows from a file's own hash: the NAR must show it.
    let said = format!("fixed:{}", Sha256::of(b"flat-1.0"));
    let store = trial.near.path("store");
    let address = ContentAddress::parse(&said).unwrap();
    let place = address.store_path(store.to_str().unwrap(), "flat-1.0", &BTreeSet::new(), false).unwrap();
    let mut flat = Foreigner::new(&trial.near, "flat-1.0", &[]);
    let printed = flat.info.print().replace(flat.base().as_str(), place.as_str());
    flat.info = aux_nix::NarInfo::parse(format!("{printed}CA: {said}\n").as_bytes()).unwrap();
    let flat = flat.signed(&trial.key);
    trial.bad.offer(&flat);
    let offered = trial.narinfo(&flat);
    assert!(!offered.text().contains("CA:"), "{}", offered.text());
    assert_eq!(trial.nar(&flat).status, 200, "{}", trial.near.log());
    let kept = trial.narinfo(&flat);
    assert!(kept.text().contains(&format!("CA: {said}\n")), "{}", kept.text());
}

#[test]
fn a_nar_that_is_not_what_was_signed_never_leaves_and_the_next_upstream_gives_it() {
    let trial = Trial::new();
    let trap = Foreign::new();
    trap.put("x", Answer::ok("x"));
    let bomb = || zstd::stream::encode_all(std::io::repeat(0).take(1 << 30), 3).unwrap();
    let cases: [Lie<'_>; 11] = [
        ("flipped", &|path| {
            let mut nar = path.nar.clone();
            let middle = nar.len() / 2;
            nar[middle] ^= 1;
            Answer::ok(nar)
        }),
        ("of-another", &|_| Answer::ok(trial.path("another-1.0").nar)),
        ("longer", &|path| Answer::ok([&path.nar[..], b"more"].concat())),
        ("shorter", &|path| Answer::ok(&path.nar[..path.nar.len() - 8])),
        ("truncated", &|path| Answer { cut_after: Some(40), ..Answer::ok(path.nar.clone()) }),
        ("endless", &|_| endless(vec![0; 1 << 20])),
        ("gone", &|_| Answer::new(404)),
        ("broken", &|_| Answer::new(500)),
        ("elsewhere", &|_| redirect(&format!("{}/x", trap.url))),
        ("a-bomb", &|path| {
            path.info.compression = Compression::Zstd;
            Answer::ok(bomb())
        }),
        ("said-another-file", &|path| {
            path.info.file_hash = Some(Sha256::of(b"another file"));
            Answer::ok(path.nar.clone())
        }),
    ];
    for (name, lie) in cases {
        for has_other in [false, true] {
            let path = trial.path(&format!("{name}-{has_other}-1.0"));
            let mut liar = path.clone();
            let reply = lie(&mut liar);
            trial.bad.offer(&liar);
            trial.bad.put(liar.info.url.as_str(), reply);
            if has_other {
                trial.good.offer(&path);
            }
            let answer = trial.nar(&path);
            if has_other && liar.info.compression == path.info.compression {
                assert_eq!((answer.status, &answer.body), (200, &path.nar), "{name}: {}", trial.near.log());
            } else {
                let expected = if matches!(name, "truncated" | "broken") { 502 } else { 404 };
                assert_eq!(answer.status, expected, "{name}: {}", answer.text());
                assert!(answer.body.len() < 20);
            }
        }
    }
    assert_eq!(trap.asked(""), 0);
    trial.assert_untouched();
    assert_eq!(trial.near.api("GET", "status", &json!({}))["objects"], 11, "{}", trial.near.log());
}
