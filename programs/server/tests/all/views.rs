//! Nothing becomes visible in a view that its policy did not approve, and what a new advisory speaks against is seen.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::feed::publish;
use crate::pushing::Made;
use crate::world::{Nix, World, hash};

pub(crate) const POLICY: &str = r#"
feed-age-days-max = 100000

[[rule]]
name = "no critical"
any = [{ audit = "severity:critical" }]

[[rule]]
name = "no debugging"
any = [{ name-not = ["*-debug"] }]
"#;

/// A server with a feed that knows nothing, a policy on `vetted`, and a closure pushed to `staging`.
fn world(policy: &str) -> Option<(World, String)> {
    let mut world = World::new();
    world.kill();
    publish(&world.path("feed.auxdb"), &["other:thing"]);
    let feed = world.path("feed.auxdb");
    world.start(&["--feed", feed.to_str().unwrap()]);
    world.api("PUT", "views/vetted/policy", &json!({ "policy": policy }));
    let nix = Nix::new(&world, &world.token("*", &["push"]))?;
    let path = nix.build();
    nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
    Some((world, path))
}

fn promote(world: &World, path: &str) -> Value {
    world.api("POST", "views/vetted/promote", &json!({ "paths": [path], "reason": "release 7" }))
}

/// Asks for the view until the server has looked at the feed, within the minute that is promised.
pub(crate) fn verdict(world: &World, wanted: &str) -> Value {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let view = world.api("GET", "views/vetted", &json!({}));
        if view["verdict"] == wanted {
            return view;
        }
        assert!(Instant::now() < deadline, "{view}");
        std::thread::yield_now();
    }
}

#[test]
fn a_licence_comes_from_an_sbom_that_names_the_path_and_stands_in_the_decision() {
    let world = World::new();
    let token = world.token("*", &["push", "promote"]);
    let library = Made::new("library-1.0", "l");
    let program = Made::new("program-1.0", "p").needs(&library);
    for made in [&library, &program] {
        made.push(&world, &token);
    }
    let policy = "[[rule]]\nname = \"licences\"\nany = [{ licence = { allow = [\"MIT\", \"Apache-2.0\"] } }]\n";
    world.api("PUT", "views/vetted/policy", &json!({ "policy": policy }));
    let component = |made: &Made, licence: &str| {
        let path = format!("{}/{}", world.store().display(), made.base);
        let output = json!({ "name": "nix:output_path", "value": path });
        json!({ "type": "library", "bom-ref": format!("{path}.drv"), "name": "x", "properties": [output],
                "licenses": [{ "expression": licence }] })
    };
    let promote = |components: Option<Vec<Value>>| {
        let bom = |components| json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": components });
        let sbom = components.map(|components| bom(components).to_string());
        world.api("POST", "views/vetted/promote", &json!({ "paths": [program.base], "sbom": sbom }))
    };
    let refused = |promotion: &Value| {
        assert_eq!(promotion["outcome"], "refused");
        promotion["refused"].as_array().unwrap().clone()
    };
    for sbom in [None, Some(vec![component(&program, "MIT")])] {
        let told = refused(&promote(sbom));
        let last = told.last().unwrap();
        assert_eq!((&last["rule"], &last["path"]), (&json!("licences"), &json!(library.base)), "{told:?}");
        assert_eq!(last["dependency_path"], json!([program.base, library.base]));
    }
    let told = refused(&promote(Some(vec![component(&program, "MIT"), component(&library, "MIT AND GPL-3.0-only")])));
    assert_eq!(told.len(), 1);
    let reason = told[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("its licence is MIT AND GPL-3.0-only (GPL-3.0-only is not taken), as the SBOM "),
        "{reason}"
    );
    let promoted = promote(Some(vec![component(&program, "MIT"), component(&library, "Apache-2.0 OR GPL-3.0-only")]));
    assert_eq!(promoted["outcome"], "promoted", "{promoted}");
    let why = world.api("GET", &format!("caches/vetted/why/{}", library.hash), &json!({}));
    let evidence = why["decisions"][0]["evidence"][0].as_str().unwrap();
    assert!(evidence.starts_with("licences: its licence is Apache-2.0 OR GPL-3.0-only, as the SBOM "), "{why}");
    let wrong = world.ask("POST /-/api/1/views/vetted/promote", &token, b"{\"paths\": [\"x\"], \"sbom\": \"{}\"}");
    assert!(wrong.status == 422 || wrong.status == 400, "{}", wrong.text());
}

#[test]
fn what_is_refused_names_the_rule_and_the_way_and_what_is_promoted_is_substituted() {
    let Some((world, path)) = world(POLICY) else { return };
    let nix = Nix::new(&world, &world.token("*", &["push"])).unwrap();
    let narinfo = format!("GET /vetted/{}.narinfo", hash(&path));
    assert_eq!(world.ask(&narinfo, &world.admin, b"").status, 404);
    publish(&world.path("feed.auxdb"), &["openssl:openssl"]);
    let refused = promote(&world, &path);
    assert_eq!((&refused["outcome"], &refused["admitted"]), (&json!("refused"), &json!([])));
    let refusal = &refused["refused"][0];
    assert_eq!(refusal["rule"], "no critical");
    assert_eq!(refusal["reason"], "CVE-2021-10001 (critical) affects openssl 1.1.1g");
    let way: Vec<&str> =
        refusal["dependency_path"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(way[0].ends_with("-web-server-1.0") && way[1].ends_with("-openssl-1.1.1g"), "{way:?}");
    assert_eq!(world.ask(&narinfo, &world.admin, b"").status, 404);
    let why = world.api("GET", &format!("caches/vetted/why/{}", hash(way[1])), &json!({}));
    assert_eq!((&why["state"], &why["decisions"][0]["admitted"]), (&json!("refused"), &json!(false)));
    assert_eq!(why["decisions"][0]["reason"], "release 7");

    publish(&world.path("feed.auxdb"), &["other:thing"]);
    let promoted = promote(&world, &path);
    assert_eq!((&promoted["outcome"], &promoted["edition"]), (&json!("promoted"), &json!(1)));
    assert_eq!(promoted["admitted"].as_array().unwrap().len(), 4);
    assert_eq!(promote(&world, &path)["outcome"], "nothing");
    let second = nix.second_store("second");
    let from = ["copy", "--from", &world.url("vetted"), "--to", &second, "--option", "trusted-public-keys"];
    nix.run("nix", &[&from[..], &[&world.public_key, &path]].concat());
    let decisions = world.api("GET", "views/vetted/decisions", &json!({}));
    assert_eq!(decisions["decisions"].as_array().unwrap().len(), 3);
    assert!(decisions["decisions"][1]["feed"].as_str().unwrap().contains("built"));
}

/// What a policy says, whether nothing was changed by asking.
fn tried(world: &World, policy: &str, wish: Value) -> Value {
    let state = || {
        let view = world.api("GET", "views/vetted", &json!({}));
        let decisions = world.api("GET", "views/vetted/decisions", &json!({}));
        (view["policy"].clone(), view["editions"].clone(), decisions, world.api("GET", "trail?limit=1000", &json!({})))
    };
    let before = state();
    let mut wish = wish;
    wish["policy"] = policy.into();
    let said = world.api("POST", "views/vetted/policy/test", &wish);
    assert_eq!(state(), before);
    said
}

#[test]
fn a_policy_is_tried_on_what_is_served_and_on_what_is_named_and_changes_nothing() {
    let Some((world, path)) = world(POLICY) else { return };
    let served = || json!({});
    let named = || json!({ "paths": [path] });
    let said = tried(&world, POLICY, served());
    assert_eq!((&said["outcome"], &said["paths"], &said["refused"]), (&json!("nothing"), &json!([]), &json!([])));
    let said = tried(&world, POLICY, named());
    assert_eq!((&said["outcome"], said["paths"].as_array().unwrap().len()), (&json!("admitted"), 4));
    assert!(said["feed"]["serial"].is_u64());
    let one = &said["paths"][0];
    assert_eq!((&one["served"], &one["admitted"]), (&json!(false), &json!(true)));
    let ruling = json!({ "rule": "no critical", "outcome": "holds", "reason": "nothing known of it is at or above severity:critical" });
    assert_eq!(one["rules"][0], ruling);
    assert_eq!(promote(&world, &path)["outcome"], "promoted");

    // What is served already is judged too, unlike by a promotion.
    publish(&world.path("feed.auxdb"), &["openssl:openssl"]);
    for (wish, count) in [(served(), 4), (named(), 4), (json!({ "paths": [path], "closure": false }), 4)] {
        let said = tried(&world, POLICY, wish);
        assert_eq!((&said["outcome"], said["paths"].as_array().unwrap().len()), (&json!("refused"), count));
        assert!(said["paths"].as_array().unwrap().iter().all(|path| path["served"] == true), "{said}");
        let refused = said["refused"].as_array().unwrap();
        assert_eq!((refused.len(), &refused[0]["rule"]), (1, &json!("no critical")));
        assert_eq!(refused[0]["reason"], "CVE-2021-10001 (critical) affects openssl 1.1.1g");
        assert_eq!(refused[0]["dependency_path"].as_array().unwrap().len(), 2);
    }
    let said = tried(&world, "", served());
    assert_eq!(
        (&said["outcome"], &said["feed"], &said["paths"][0]["rules"]),
        (&json!("admitted"), &json!(null), &json!([]))
    );
    // What nobody can tell is no, and says that it is that.
    std::fs::remove_file(world.path("feed.auxdb")).unwrap();
    let said = tried(&world, POLICY, served());
    let first = &said["paths"][0]["rules"];
    assert_eq!((&said["outcome"], &first[0]["outcome"]), (&json!("refused"), &json!("unknown")));
    assert_eq!((&first[0]["reason"], &first[1]["outcome"]), (&json!("the feed cannot be read"), &json!("holds")));
    // What is no path of the source is refused as a promotion refuses it.
    let none = format!("{}-none", "0".repeat(32));
    let said = tried(&world, "", json!({ "paths": [none] }));
    assert_eq!((&said["outcome"], &said["refused"][0]["rule"]), (&json!("refused"), &json!("in source")));

    let test = "POST /-/api/1/views/vetted/policy/test";
    let wish = json!({ "policy": POLICY }).to_string();
    let reader = world.token("vetted", &["read"]);
    assert_eq!(world.ask(test, &reader, wish.as_bytes()).status, 403);
    assert_eq!(world.ask(test, &world.token("vetted", &["promote"]), wish.as_bytes()).status, 200);
    let label = json!({ "label": "x", "cache": "vetted", "rights": ["promote"], "names": "zlib-*" });
    let narrow = world.api("POST", "tokens", &label);
    let wish = json!({ "policy": POLICY, "paths": [path] }).to_string();
    assert_eq!(world.ask(test, narrow["token"].as_str().unwrap(), wish.as_bytes()).status, 403);
    let wrong = world.ask(test, &world.admin, json!({ "policy": "kyes = 1" }).to_string().as_bytes());
    assert_eq!((wrong.status, &wrong.json()["error"]), (422, &json!("policy")));
    assert_eq!(world.ask(&test.replace("vetted", "staging"), &world.admin, b"{\"policy\":\"\"}").status, 422);
}

#[test]
fn a_critical_advisory_on_a_dependency_turns_the_verdict_within_a_minute() {
    let Some((world, path)) = world(POLICY) else { return };
    let promoted = promote(&world, &path);
    assert_eq!(promoted["outcome"], "promoted", "{promoted}");
    assert_eq!(world.api("GET", "views/vetted", &json!({}))["verdict"], "pass");
    publish(&world.path("feed.auxdb"), &["zlib:zlib"]);
    let view = verdict(&world, "fail");
    let affected = &view["affected"][0];
    assert_eq!((&affected["id"], &affected["severity"]), (&json!("CVE-2021-10001"), &json!("critical")));
    assert_eq!(affected["dependency_path"].as_array().unwrap().len(), 3);
    // Flagged, and served all the same; a policy may say otherwise.
    let zlib = affected["path"].as_str().unwrap();
    let narinfo = format!("GET /vetted/{}.narinfo", hash(zlib));
    assert_eq!(world.ask(&narinfo, &world.admin, b"").status, 200);
    let policy = format!("when-affected = \"withdraw\"\n{POLICY}");
    world.api("PUT", "views/vetted/policy", &json!({ "policy": policy }));
    publish(&world.path("feed.auxdb"), &["zlib:zlib", "other:thing"]);
    let view = verdict(&world, "pass");
    // Settings need nothing of it.
    assert_eq!(view["paths"], 1);
    let hidden = world.ask(&narinfo, &world.admin, b"");
    assert_eq!((hidden.status, hidden.text()), (404, "Not Found\n"));
    assert_eq!(hidden.header("aux-withdrawn"), Some("CVE-2021-10001 (critical) affected"));
    // Without a feed nobody can say.
    std::fs::remove_file(world.path("feed.auxdb")).unwrap();
    verdict(&world, "unknown");
}

#[test]
fn a_view_goes_back_to_any_edition_and_a_withdrawn_path_takes_along_what_needs_it() {
    let Some((world, path)) = world("") else { return };
    let nix = Nix::new(&world, &world.token("*", &["push"])).unwrap();
    let closure = nix.closure(&path);
    let zlib = closure.iter().find(|one| one.ends_with("-zlib-1.2.11")).unwrap();
    assert_eq!(promote(&world, zlib)["edition"], 1);
    assert_eq!(promote(&world, &path)["edition"], 2);
    let paths = || world.api("GET", "views/vetted", &json!({}))["paths"].clone();
    assert_eq!(paths(), 4);
    let back = |to: Value| world.api("POST", "views/vetted/rollback", &json!({ "to": to, "reason": "it broke" }));
    assert_eq!((&back(json!(1))["removed"], paths()), (&json!(3), json!(1)));
    assert_eq!((&back(json!(2))["added"], paths()), (&json!(3), json!(4)));
    assert_eq!((&back(json!("2001-01-01T00:00:00Z"))["removed"], paths()), (&json!(4), json!(0)));
    assert_eq!((&back(json!(2))["edition"], paths()), (&json!(6), json!(4)));

    let withdraw = json!({ "path": zlib, "reason": "CVE-2018-25032" });
    let withdrawn = world.api("POST", "caches/vetted/withdraw", &withdraw);
    assert_eq!(withdrawn["also"].as_array().unwrap().len(), 2);
    assert_eq!(paths(), 1);
    let why = world.api("GET", &format!("caches/vetted/why/{}", hash(&path)), &json!({}));
    assert_eq!((&why["state"], &why["reason"]), (&json!("withdrawn"), &json!("CVE-2018-25032")));
    assert!(why["because"].as_str().unwrap().ends_with("-zlib-1.2.11"));
    assert_eq!(back(json!(1))["edition"], 7);
    assert_eq!(paths(), 0);
    let refused = promote(&world, &path);
    assert_eq!(refused["refused"][0]["rule"], "withdrawn");
    world.api("POST", "caches/vetted/restore", &withdraw);
    assert_eq!(promote(&world, &path)["outcome"], "promoted");
    assert_eq!(paths(), 4);
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_part_is_promoted_only_where_that_is_wanted_and_never_a_closure_with_a_hole() {
    let policy = "[[rule]]\nname = \"no debugging\"\nany = [{ name-not = [\"*-debug\"] }]\n";
    let world = World::new();
    world.api("PUT", "views/vetted/policy", &json!({ "policy": policy }));
    let token = world.token("staging", &["push"]);
    let library = Made::new("library-1.0", "l");
    let debug = Made::new("library-1.0-debug", "d");
    let good = Made::new("good-1.0", "g").needs(&library);
    let bad = Made::new("bad-1.0", "b").needs(&library).needs(&debug);
    for path in [&library, &debug, &good, &bad] {
        path.push(&world, &token);
    }
    let promote = |wish: Value| world.api("POST", "views/vetted/promote", &wish);
    let both = json!([good.base, bad.base]);
    assert_eq!(promote(json!({ "paths": both }))["outcome"], "refused");
    let alone = promote(json!({ "paths": [good.base], "closure": false }));
    assert_eq!((&alone["outcome"], &alone["refused"][0]["rule"]), (&json!("refused"), &json!("closure")));
    let dry = promote(json!({ "paths": both, "partial": true, "dry_run": true }));
    assert_eq!((&dry["outcome"], &dry["decision"]), (&json!("partly"), &Value::Null));
    let partly = promote(json!({ "paths": both, "partial": true }));
    let mut expected = vec![good.base.clone(), library.base.clone()];
    expected.sort();
    assert_eq!((&partly["outcome"], &partly["admitted"]), (&json!("partly"), &json!(expected)));
    assert_eq!(partly["refused"][0]["dependency_path"], json!([bad.base, debug.base]));
    let unknown = promote(json!({ "paths": [Made::new("never-1.0", "n").base] }));
    assert_eq!(unknown["refused"][0]["rule"], "in source");
    let other = format!("{}-other-1.0", good.hash);
    let misnamed = promote(json!({ "paths": [other], "dry_run": true }));
    assert_eq!((&misnamed["refused"][0]["path"], &misnamed["outcome"]), (&json!(other), &json!("refused")));
    // A withdrawn path takes no new dependents.
    world.api("POST", "caches/staging/withdraw", &json!({ "path": library.base, "reason": "broken" }));
    let late = Made::new("late-1.0", "late").needs(&library);
    assert_eq!(late.put_nar(&world, &token).status, 201);
    assert_eq!(late.put_narinfo(&world, &token, &late.narinfo(&world)).status, 409);
    assert_eq!(world.api("GET", "views/vetted", &json!({}))["paths"], 0, "what its cache hides, a view hides");
    assert_eq!(world.api("POST", "fsck", &json!({}))["clean"], true);
}

#[test]
fn a_flake_lock_stands_for_the_sources_of_its_inputs() {
    let world = World::new();
    let Some(nix) = Nix::new(&world, &world.token("staging", &["push"])) else { return };
    std::fs::create_dir(world.path("source")).unwrap();
    aux_io::file::replace(world.path("source/flake.nix"), b"{ outputs = _: { }; }").unwrap();
    let source = world.path("source");
    let source = source.to_str().unwrap();
    let said = |program: &str, arguments: &[&str]| {
        String::from_utf8(nix.run(program, arguments).stdout).unwrap().trim().to_owned()
    };
    let path = said("nix-store", &["--add-fixed", "--recursive", "sha256", source]);
    let nar_hash = said("nix", &["hash", "path", source]);
    nix.run("nix", &["copy", "--to", &world.url("staging"), &path]);
    let lock = json!({ "version": 7, "root": "root", "nodes": {
        "root": { "inputs": { "it": "it" } },
        "it": { "locked": { "type": "github", "narHash": nar_hash } },
    } });
    let promoted = world.api("POST", "views/vetted/promote", &json!({ "lock": lock.to_string() }));
    assert_eq!(promoted["outcome"], "promoted", "{promoted}");
    assert_eq!(promoted["admitted"], json!([path.rsplit('/').next().unwrap()]));
    let wrong = json!({ "lock": "{}" }).to_string();
    let refused = world.ask("POST /-/api/1/views/vetted/promote", &world.admin, wrong.as_bytes());
    assert_eq!((refused.status, &refused.json()["error"]), (422, &json!("lock")));
}
