//! `auxd --once`: what a round stores, tells and writes, and what it says when it cannot.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::peers::peer;
use crate::world::{CRITICAL, FIXED, World};

#[test]
fn a_round_tells_what_is_new_once_and_then_what_changed() {
    let world = World::new(1);
    let dry = world.run("--dry-run");
    assert_eq!(String::from_utf8_lossy(&dry.stdout).matches("would tell: new").count(), 3);
    assert!(world.events().is_empty() && world.text("run/motd").is_empty(), "a dry run changes nothing");

    let first = world.round();
    assert_eq!(first["events"].as_array().unwrap().len(), 3, "{first}");
    assert_eq!(first["systems"][0]["verdict"], "fail");
    let second = world.round();
    assert!(second["events"].as_array().unwrap().is_empty());
    assert!(second["systems"][0]["verdict"].is_null(), "nothing changed, so nothing was audited: {second}");

    world.file("names", "zlib-1.2.10\nopenssl-1.1.1g\ncurl-7.70.0\n");
    let bumped = world.round();
    assert_eq!(bumped["systems"][0]["verdict"], "fail");
    assert!(bumped["events"].as_array().unwrap().is_empty(), "vulnerable as before: {bumped}");

    world.feed(1, FIXED);
    let fixed = world.round();
    assert_eq!(fixed["events"][0]["event"], "fix_available", "{fixed}");
    world.feed(1, &format!("{FIXED}{CRITICAL}"));
    let critical = world.round();
    assert_eq!(critical["events"][0]["event"], "now_critical", "{critical}");
    assert_eq!(world.events().len(), 5);
    assert_eq!(
        world.text("run/motd"),
        "aux: critical: 3 alarms, 1 of them critical, 1 with a fix to take; see: aux audit\n"
    );
}

#[test]
fn what_is_not_known_is_never_clean() {
    let world = World::new(1);
    world.file("names", "hello-1.0\n");
    world.round();
    assert_eq!(world.text("run/motd"), "", "all is well");
    let metrics = world.text("aux.prom");
    assert!(metrics.contains("aux_findings{system=") && metrics.contains(r#"standing="current"} 1"#), "{metrics}");

    // The feed is of 2021: with the usual bound it is stale.
    world.file("aux.toml", &world.text("aux.toml").replace("max_age_hours = 876000", ""));
    world.round();
    assert!(world.text("run/motd").contains("is stale"), "{}", world.text("run/motd"));
    assert!(world.text("aux.prom").contains(r#"standing="stale"} 1"#));

    std::fs::remove_file(world.path("names")).unwrap();
    world.round();
    assert!(world.text("run/motd").contains("is unknown"), "{}", world.text("run/motd"));
    let metrics = world.text("aux.prom");
    assert!(metrics.contains(r#"standing="unknown"} 1"#) && !metrics.contains("aux_findings{"), "{metrics}");
}

#[test]
fn without_a_feed_a_round_fails_and_what_was_known_stays() {
    let world = World::new(1);
    world.round();
    std::fs::remove_file(world.path("feed.auxdb")).unwrap();
    let failed = world.run("--once");
    assert_eq!(failed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.contains("feed.auxdb: no such file"), "{said}");
    let motd = world.text("run/motd");
    assert!(motd.contains("is stale (before that: 3 alarms)"), "{motd}");
    world.file("feed.auxdb", "no feed at all");
    let failed = world.run("--once --json");
    assert_eq!(failed.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert!(report["failure"].as_str().unwrap().contains("not an advisory index"), "{report}");
    world.feed(1, "");
    assert!(world.round()["events"].as_array().unwrap().is_empty());
    assert!(world.text("run/motd").starts_with("aux: 3 alarms"));
}

#[test]
fn a_wrong_configuration_is_named_with_its_line() {
    let world = World::new(1);
    world.file("aux.toml", "feed = \"feed.auxdb\"\n[agent]\nmachines = true\n");
    let refused = world.run("--once");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("aux.toml:3") && said.contains("machines"), "{said}");
    world.file("aux.toml", "[agent]\nalert_on = \"everything\"\n");
    let said = String::from_utf8_lossy(&world.run("--once").stderr).into_owned();
    assert!(said.contains("`everything` is not a gate word"), "{said}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "promtool is the format's own checker")]
fn promtool_accepts_the_metrics() {
    let Some(promtool) = peer("promtool", "prometheus") else { return };
    let world = World::new(2);
    let odd = "na\"m\\es";
    std::fs::copy(world.path("names"), world.path(odd)).unwrap();
    world.file("aux.toml", &world.text("aux.toml").replace("\"names\"", "\"names\", 'na\"m\\es', \"missing\""));
    world.round();
    let metrics = world.text("aux.prom");
    assert!(metrics.contains(r#"na\"m\\es"#), "{metrics}");
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{metrics}");
}
