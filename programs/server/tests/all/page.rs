//! What people and their monitoring read: the status page, the metrics, listings and logs.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::corpora::in_ci;
use crate::pushing::Made;
use crate::world::{Nix, World, hash};

#[test]
fn the_status_page_says_what_was_refused_and_why_and_runs_nothing() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let path = Made::new("hello-1.0-debug", "hello");
    path.push(&world, &token);
    let policy = "[[rule]]\nname = \"no <b>debugging</b>\"\nany = [{ name-not = [\"*-debug\"] }]\n";
    world.api("PUT", "views/vetted/policy", &json!({ "policy": policy }));
    world.api("POST", "views/vetted/promote", &json!({ "paths": [path.base] }));
    assert_eq!(world.ask("GET /", "", b"").status, 401);
    let page = world.ask("GET /", &world.admin, b"");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("no &lt;b&gt;debugging&lt;/b&gt;: no: its name fits *-debug"), "{}", page.text());
    assert!(page.text().contains(&path.base) && !page.text().contains("<script") && !page.text().contains("<b>"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
}

#[test]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a real peer; a test that skips must say so")]
fn metrics_are_what_prometheus_reads() {
    let world = World::new();
    let path = Made::new("hello-1.0", "hello");
    path.push(&world, &world.token("staging", &["push"]));
    let metrics = world.ask("GET /-/metrics", &world.admin, b"");
    assert!(metrics.text().contains("aux_cache_paths{cache=\"staging\"} 1\n"), "{}", metrics.text());
    assert!(metrics.text().contains("aux_cache_pushed_paths_total 1\n"));
    let promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else {
        assert!(!in_ci(), "promtool is not installed");
        return eprintln!("skipped: no promtool; `apt-get install prometheus` would bring it");
    };
    promtool.stdin.take().unwrap().write_all(&metrics.body).unwrap();
    assert!(promtool.wait().unwrap().success());
}

#[test]
fn listings_are_made_here_and_logs_are_kept_for_whoever_asks() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let Some(nix) = Nix::new(&world, &token) else { return };
    let path = nix.build();
    let url = world.url("staging");
    nix.run("nix", &["copy", "--to", &format!("{url}?write-nar-listing=1"), &path]);
    let listing = world.ask(&format!("GET /staging/{}.ls", hash(&path)), &token, b"");
    assert_eq!(listing.json()["root"]["entries"]["inputs"]["type"], "regular");
    nix.run("nix", &["store", "copy-log", "--to", &url, &path]);
    let log = nix.run("nix", &["log", "--store", &url, &path]);
    assert!(log.status.success());
    // What Nix prints of a path out of the cache is what is in it.
    let file = format!("{path}/inputs");
    let shown = nix.run("nix", &["store", "cat", "--store", &url, &file]);
    assert_eq!(shown.stdout, std::fs::read(&file).unwrap());
}
