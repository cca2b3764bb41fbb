//! `aux image watch` and `aux image history`: told once through a real webhook, and every day kept as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::http_server::{Answer, HttpServer};
use crate::image::keys;
use crate::image_build::{self, LIST};
use crate::image_bump::pages;
use crate::world::{Said, World, write};

const WATCH: &str = "image watch spec.toml --once --vulnerabilities list --state state";

/// A world with one webhook, which answers with what is in the number.
fn world() -> (World, HttpServer, Arc<AtomicU16>) {
    let world = image_build::world();
    let status = Arc::new(AtomicU16::new(204));
    let answered = Arc::clone(&status);
    let server = HttpServer::start(move |_| Answer::new(answered.load(Ordering::SeqCst)));
    let config = format!(
        "[alert]\nqueue = \"{}\"\n[alert.webhook.team]\nurl = \"{}\"\n",
        world.path("alerts.sqlite").display(),
        server.url("/")
    );
    write(&world.outside("config/aux/aux.toml"), config.as_bytes());
    (world, server, status)
}

fn watch(world: &World, day: &str, current: &str) -> Said {
    world.run(&format!("{WATCH} --as-of {day} --current {current}"))
}

fn told(server: &HttpServer) -> Vec<Value> {
    server.requests().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[test]
fn each_reason_is_told_once_and_a_new_image_begins_anew() {
    let (mut world, server, _) = world();
    let show = |world: &mut World, day: &str, current: &str| {
        let said = watch(world, day, current);
        world.transcribe(&format!("image watch, {day}, {current}"), &format!("\n{}", said.shown()));
        said
    };
    let dry = world.run(&format!("{WATCH} --as-of 2018-12-24 --current origin.pkgs.json --dry-run"));
    assert!(dry.stdout.contains("would be told: openssl CVE-2018-0732") && told(&server).is_empty(), "{}", dry.shown());
    assert_eq!(show(&mut world, "2018-12-24", "origin.pkgs.json").code, Some(0));
    assert_eq!(show(&mut world, "2018-12-25", "origin.pkgs.json").code, Some(0));
    let first = told(&server);
    assert_eq!(first.len(), 1);
    assert_eq!(
        (&first[0]["type"], &first[0]["data"]["advisory"]),
        (&"aux.alert.image_due".into(), &"CVE-2018-0732".into())
    );
    // One more reason is told of by itself; with a state that was lost nothing is told again either.
    world.file("list", &format!("{LIST}openssl<1.0.2p\tother\thttps://nvd.example/CVE-2018-0737\n"));
    show(&mut world, "2018-12-26", "origin.pkgs.json");
    world.run(
        &format!("{WATCH} --as-of 2018-12-26 --current origin.pkgs.json").replace("--state state", "--state lost"),
    );
    let second = told(&server);
    assert_eq!(second.len(), 2, "{second:#?}");
    assert_eq!(second[1]["data"]["advisory"], "CVE-2018-0737");
    // The image that fixes both is not worth another, until it is time.
    world.file(
        "now.pkgs.json",
        r#"{"built": "2018-12-27T00:00:00Z", "pkgsrc": ["curl-7.61.1", "openssl-1.0.2p", "sudo-1.8.20"]}"#,
    );
    world.file("list", &LIST.replace("1.100 2018/12/20", "1.120 2019/01/20"));
    show(&mut world, "2019-01-21", "now.pkgs.json");
    assert_eq!(told(&server).len(), 2);
    show(&mut world, "2019-01-28", "now.pkgs.json");
    show(&mut world, "2019-01-29", "now.pkgs.json");
    let third = told(&server);
    assert_eq!((third.len(), &third[2]["data"]["advisory"]), (3, &"updates since 2018-12-27".into()));
    world.show("image history --state state");
    let json = world.run(&format!("{WATCH} --as-of 2019-01-29 --current now.pkgs.json --json"));
    world.transcribe("image watch --json", &format!("\n{}", json.shown()));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_day_on_which_nobody_could_say_is_kept_as_that() {
    let (mut world, server, _) = world();
    std::fs::rename(world.path("list"), world.path("away")).unwrap();
    let said = watch(&world, "2018-12-23", "origin.pkgs.json");
    assert_eq!(said.code, Some(2), "{}", said.shown());
    std::fs::rename(world.path("away"), world.path("list")).unwrap();
    watch(&world, "2018-12-24", "origin.pkgs.json");
    let summary = std::fs::read(world.path("packages/pkg_summary.gz")).unwrap();
    world.bytes("packages/pkg_summary.gz", &summary[..summary.len() - 9]);
    let broken = "origin.pkgs.json --summary 2018Q4=packages/pkg_summary.gz";
    assert_eq!(watch(&world, "2018-12-25", broken).code, Some(2));
    world.bytes("packages/pkg_summary.gz", &summary);
    assert_eq!(watch(&world, "2019-01-25", "origin.pkgs.json").code, Some(2));
    world.file("empty", "");
    assert_eq!(watch(&world, "2018-12-26", "empty").code, Some(2));
    assert_eq!(told(&server).len(), 1);
    let said = world.show("image history origin --state state --svg history.svg --json");
    let observations = said.json()["images"][0]["observations"].as_array().unwrap().clone();
    let states: Vec<&str> = observations.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["unknown", "known", "unknown", "unknown", "unknown"]);
    let looked = world.run(&format!("{WATCH} --as-of 2018-12-24 --current origin.pkgs.json --json")).json();
    for (example, written) in pages("image-history").iter().zip([&said.json(), &looked]) {
        let (mut promised, mut found) = Default::default();
        keys(example, "", &mut promised);
        keys(written, "", &mut found);
        assert_eq!(promised, found);
    }
    world.show("image history --state state");
    let svg = std::fs::read_to_string(world.path("history.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && !svg.contains("script") && svg.matches("url(#unknown)").count() == 5, "{svg}");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_channel_that_does_not_answer_is_no_success_and_the_notice_is_kept() {
    let (world, server, status) = world();
    status.store(503, Ordering::SeqCst);
    let said = watch(&world, "2018-12-24", "origin.pkgs.json");
    assert!(said.code == Some(2) && said.stdout.contains("not told by webhook.team"), "{}", said.shown());
    assert_eq!(server.requests().len(), 1);
    let listed = world.run("alert list --json").json();
    assert_eq!(listed["alerts"][0]["deliveries"][0]["state"], "waiting", "{listed}");
}

#[test]
fn what_is_missing_damaged_or_foreign_is_told_and_kept() {
    let (mut world, _server, _) = world();
    world.show("image watch spec.toml --once --vulnerabilities list");
    world.show("image history --state state");
    world.file("state/history.sqlite", "this is no database, and more than nothing");
    let said = watch(&world, "2018-12-24", "origin.pkgs.json");
    world.transcribe("image watch", &format!("\n{}", said.shown()));
    world.show("image history --state state");
    assert_eq!(
        std::fs::read_to_string(world.path("state/history.sqlite")).unwrap(),
        "this is no database, and more than nothing"
    );
    std::fs::remove_file(world.path("state/history.sqlite")).unwrap();
    watch(&world, "2018-12-24", "origin.pkgs.json");
    world.show("image history other --state state");
    world.show("image history --state state --svg nowhere/history.svg");
    insta::assert_snapshot!(world.transcript());
}
