//! `aux feed fetch` against a publisher that speaks the real interfaces: first everything, then what changed, and trouble.

use std::fmt::Write;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::fixtures;
use crate::http_server::Answer;
use crate::publisher::{Publisher, kev, nvd};
use crate::world::{Said, World};

const BUILD: &str = "feed build --nvd raw/nvd --osv raw/osv --kev raw/kev --pkgsrc raw/pkgsrc --cve5 raw/cve5";

fn fetch(world: &World, publisher: &Publisher, arguments: &str) -> Said {
    world.run(&format!("feed fetch --output raw {arguments} {}", publisher.bases()))
}

/// The same with the port, which differs from run to run, left out.
fn shown(said: &Said, publisher: &Publisher) -> String {
    said.shown().replace(&format!("127.0.0.1:{}", publisher.server.port()), "[PUBLISHER]")
}

fn sources(said: &Said) -> Vec<(String, String, u64)> {
    let document = said.json();
    let rows = document["sources"].as_array().unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "source"), text(row, "state"), row["requests"].as_u64().unwrap())).collect()
}

fn states(said: &Said) -> Vec<(String, String)> {
    sources(said).into_iter().map(|(source, state, _)| (source, state)).collect()
}

fn built(world: &World) -> Vec<u8> {
    let said = world.run(&format!("{BUILD} --output out.auxdb"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    fs::read(world.path("out.auxdb")).unwrap()
}

#[test]
fn everything_is_fetched_once_and_then_only_asked_about() {
    let (world, publisher) = (World::empty(), Publisher::new());
    let first = fetch(&world, &publisher, "");
    assert_eq!(first.code, Some(0), "{}", first.shown());
    let index = built(&world);
    world.bytes("feed.auxdb", &index);
    assert_eq!(world.run("feed show feed.auxdb CVE-2020-10001 --json").json()["kev"], true);
    assert_eq!(world.run("feed show feed.auxdb CVE-2020-10007").code, Some(0), "from a zip in a zip");
    let state: Value = serde_json::from_slice(&fs::read(world.path("raw/fetch.json")).unwrap()).unwrap();
    assert_eq!(state["schema"], "aux.fetch/1");
    assert_eq!(state["sources"]["kev"]["files"]["kev/known_exploited_vulnerabilities.json"]["bytes"], 116);
    let again = fetch(&world, &publisher, "--json");
    let unchanged = |(source, requests): (&str, u64)| (source.to_owned(), "unchanged".to_owned(), requests);
    // NVD: one checksum. OSV: the list. KEV and pkgsrc: a condition. The CVE list: the release.
    let wanted = [("nvd", 1), ("cve5", 1), ("osv", 1), ("pkgsrc", 1), ("kev", 1)].map(unchanged);
    assert_eq!(sources(&again), wanted);
    assert_eq!(built(&world), index);
    let full = fetch(&world, &publisher, "--full --quiet");
    assert_eq!((full.code, full.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_it_says_is_one_line_a_source() {
    let (mut world, publisher) = (World::empty(), Publisher::new());
    let mut transcript = String::new();
    let mut say = |what: &str, arguments: &str| {
        let said = shown(&fetch(&world, &publisher, arguments), &publisher);
        writeln!(transcript, "$ {what}\n{said}").unwrap();
    };
    for arguments in ["--source kev pkgsrc osv", "--source kev", "--source osv --json"] {
        say(&format!("aux feed fetch {arguments}"), arguments);
    }
    publisher.file("/kev.json", "{}");
    say("the catalogue is damaged", "--source kev pkgsrc");
    publisher.published.lock().unwrap().files.remove("/kev.json");
    say("it is gone", "--source kev");
    publisher.once("/vulns", Answer::new(503).header("Retry-After", &100_000));
    say("a server is busy for a day", "--source pkgsrc");
    world.file("raw/fetch.json", "{\"schema\":\"aux.fetch/9\"}");
    world.show("feed fetch --output raw --source kev");
    world.show("feed fetch --output raw --source euvd");
    world.show("feed fetch --output raw --base kev");
    world.show("feed fetch --output raw --base kev=http://mirror.example/kev.json --source kev");
    world.show("feed fetch");
    insta::assert_snapshot!(transcript + world.transcript());
}

#[test]
fn an_increment_brings_what_changed_and_no_more() {
    let (world, publisher) = (World::empty(), Publisher::new());
    fetch(&world, &publisher, "");
    let before = built(&world);
    // NVD now says that openssl 1.1.1m fixes it; the yearly file still says 1.1.1k.
    let mut item = fixtures::item("CVE-2020-10001", "HHH", &[fixtures::product("openssl:openssl", Some("1.1.1m"))]);
    item["cve"]["lastModified"] = "2021-03-01T00:00:00.000".into();
    publisher.year("modified", &nvd(&[item]));
    publisher.file("/kev.json", kev(&["CVE-2020-10001", "CVE-2020-10002"]).to_string());
    let osv = fixtures::osv();
    let mut record = osv.as_array().map_or(&osv, |list| &list[0]).clone();
    let old = record.clone();
    record["id"] = "GO-2026-0001".into();
    record["aliases"] = serde_json::json!([]);
    record["modified"] = "2026-11-20T00:00:00.5Z".into();
    publisher.osv(&[old, record]);
    publisher.file("/osv/Go/all.zip", "nobody asks for the archive again");
    let said = fetch(&world, &publisher, "--json");
    let new = |source: &str, state: &str| (source.to_owned(), state.to_owned());
    let wanted = [("nvd", "new"), ("cve5", "unchanged"), ("osv", "new"), ("pkgsrc", "unchanged"), ("kev", "new")];
    assert_eq!(states(&said), wanted.map(|(source, state)| new(source, state)), "{}", said.shown());
    let after = built(&world);
    assert_ne!(after, before);
    world.bytes("feed.auxdb", &after);
    let shown = world.run("feed show feed.auxdb CVE-2020-10001").stdout;
    assert!(shown.contains("1.1.1m") && !shown.contains("1.1.1k"), "the newest statement stands alone: {shown}");
    assert_eq!(world.run("feed show feed.auxdb GO-2026-0001").code, Some(0));
    assert!(states(&fetch(&world, &publisher, "--json")).iter().all(|(_, state)| state == "unchanged"));
}

#[test]
fn nvd_is_paged_with_a_key_and_then_asked_for_changes() {
    let (world, publisher) = (World::empty(), Publisher::new());
    let items = fixtures::nvd()["vulnerabilities"].as_array().unwrap().clone();
    publisher.published.lock().unwrap().records = items;
    publisher.once("/api", Answer::new(429).header("Retry-After", &0));
    publisher.once("/api", Answer::new(403).header("Retry-After", &0));
    world.file("key", "0123-abcd\n");
    let arguments = "--source nvd --nvd-api --nvd-key key --nvd-pause 0";
    let first = fetch(&world, &publisher, arguments);
    assert_eq!(first.code, Some(0), "{}", first.shown());
    let asked = publisher.server.requests();
    let starts: Vec<&str> = asked.iter().map(|request| request.path.rsplit("startIndex=").next().unwrap()).collect();
    assert_eq!(starts, ["0", "0", "0", "2", "4"]);
    assert!(
        asked
            .iter()
            .all(|request| request.headers["apikey"] == "0123-abcd" && request.headers["accept-encoding"] == "gzip")
    );
    assert!(asked[0].path.starts_with("/api?resultsPerPage=2000&"), "{}", asked[0].path);
    assert_eq!(fs::read_dir(world.path("raw/nvd")).unwrap().count(), 3);
    let built = |name: &str| {
        let said = world.run(&format!("feed build --nvd {name} --output {name}.auxdb"));
        assert_eq!(said.code, Some(0), "{}", said.shown());
        fs::read(world.path(&format!("{name}.auxdb"))).unwrap()
    };
    fixtures::sources(&world);
    assert_eq!(built("raw/nvd"), built("nvd.json"));
    // A year without a fetch: windows of at most 120 days each, none with a gap.
    let state = fs::read_to_string(world.path("raw/fetch.json")).unwrap();
    let value: Value = serde_json::from_str(&state).unwrap();
    let until = value["sources"]["nvd"]["changes_until"].as_str().unwrap();
    let year = format!("{}{}", until[..4].parse::<u32>().unwrap() - 1, &until[4..]);
    world.file(
        "raw/fetch.json",
        &state.replace(&format!("\"changes_until\": \"{until}\""), &format!("\"changes_until\": \"{year}\"")),
    );
    let second = fetch(&world, &publisher, arguments);
    assert_eq!(second.code, Some(0), "{}", second.shown());
    let windows: Vec<String> = publisher.server.asked().split_off(5);
    assert_eq!(windows.len(), 4, "{windows:?}");
    let part =
        |text: &str, name: &str| text.split(&format!("{name}=")).nth(1).unwrap().split('&').next().unwrap().to_owned();
    for pair in windows.windows(2) {
        assert_eq!(part(&pair[0], "lastModEndDate"), part(&pair[1], "lastModStartDate"));
    }
}

#[test]
fn a_killed_paging_continues_where_it_was_and_is_no_feed_before() {
    let (world, publisher) = (World::empty(), Publisher::new());
    publisher.published.lock().unwrap().records = fixtures::nvd()["vulnerabilities"].as_array().unwrap().clone();
    let arguments = "--source nvd --nvd-api --nvd-pause 0";
    // The second page is gone.
    let server = &publisher.server;
    publisher.once("/api", page(&fixtures::nvd()["vulnerabilities"].as_array().unwrap()[..2], 5));
    publisher.once("/api", Answer::new(404));
    let failed = fetch(&world, &publisher, arguments);
    assert_eq!(failed.code, Some(2), "{}", failed.shown());
    let said = world.run("feed build --nvd raw/nvd --output out.auxdb");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("its fetch has not come to its end"), "{}", said.shown());
    let before = server.requests().len();
    assert_eq!(fetch(&world, &publisher, arguments).code, Some(0));
    assert!(server.asked()[before].ends_with("startIndex=2"), "{:?}", server.asked());
    assert_eq!(world.run("feed build --nvd raw/nvd --output out.auxdb").code, Some(0));
}

fn page(items: &[Value], total: usize) -> Answer {
    let document = serde_json::json!({ "resultsPerPage": items.len(), "startIndex": 0, "totalResults": total,
        "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items });
    Answer::ok(document.to_string())
}

#[test]
fn a_fetch_killed_after_any_request_is_finished_by_the_next() {
    let (clean, publisher) = (World::empty(), Publisher::new());
    assert_eq!(fetch(&clean, &publisher, "--quiet").code, Some(0));
    let index = built(&clean);
    let requests = publisher.server.requests().len();
    assert!(requests > 8, "{requests}");
    let mut died = 0;
    let moments = (1..=requests).step_by(requests.div_ceil(8)).collect::<Vec<_>>();
    for &last in &moments {
        let world = World::empty();
        let before = publisher.server.requests().len();
        let mut child = world.command(&format!("feed fetch --output raw --quiet {}", publisher.bases()));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Killed as soon as the server has seen so many requests, wherever it is then.
        while publisher.server.requests().len() < before + last && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        died += usize::from(child.wait().unwrap().code().is_none());
        let said = fetch(&world, &publisher, "--quiet");
        assert_eq!(said.code, Some(0), "after {last} requests: {}", said.shown());
        assert_eq!(built(&world), index, "after {last} requests");
        let left = fs::read_dir(world.path("raw/.partial")).unwrap().count();
        assert_eq!(left, 0, "after {last} requests");
    }
    assert!(died > moments.len() / 2, "{died} of {} were killed", moments.len());
}

#[test]
fn a_cut_download_is_continued_in_this_run_and_in_the_next() {
    let (world, publisher) = (World::empty(), Publisher::new());
    // Cut once at byte 60; the next attempt goes on there.
    publisher.cut("/vulns", Some(60));
    let said = fetch(&world, &publisher, "--source pkgsrc");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let ranges: Vec<Option<String>> =
        publisher.server.requests().iter().map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges, [None, Some("bytes=60-".to_owned())]);
    assert!(publisher.server.requests()[1].headers.contains_key("if-range"));
    // Another fetch was killed: its part and its note are all that is left.
    let other = World::empty();
    let hidden = "raw/.partial/pkgsrc-pkg-vulnerabilities";
    let url = publisher.server.url("/vulns");
    let etag = {
        let state: Value = serde_json::from_slice(&fs::read(world.path("raw/fetch.json")).unwrap()).unwrap();
        state["sources"]["pkgsrc"]["files"]["pkgsrc/pkg-vulnerabilities"]["etag"].clone()
    };
    let whole = fs::read(world.path("raw/pkgsrc/pkg-vulnerabilities")).unwrap();
    let note = serde_json::json!({ "url": url, "etag": etag, "last_modified": null });
    other.bytes(hidden, &whole[..20]).file(&format!("{hidden}.of.json"), &note.to_string());
    publisher.cut("/vulns", None);
    assert_eq!(fetch(&other, &publisher, "--source pkgsrc").code, Some(0));
    assert_eq!(publisher.server.requests().last().unwrap().headers["range"], "bytes=20-");
    assert_eq!(fs::read(other.path("raw/pkgsrc/pkg-vulnerabilities")).unwrap(), whole);
    assert_eq!(fs::read_dir(other.path("raw/.partial")).unwrap().count(), 0);
}

#[test]
fn a_source_that_fails_keeps_what_it_had_and_hinders_no_other() {
    let (world, publisher) = (World::empty(), Publisher::new());
    fetch(&world, &publisher, "");
    let index = built(&world);
    publisher.file("/kev.json", "<html>maintenance</html>");
    publisher.year("modified", &nvd(&[]));
    publisher.file("/nvd/nvdcve-2.0-modified.meta", format!("sha256:{}\n", "A".repeat(64)));
    publisher
        .file("/vulns", "#FORMAT 1.1.0\nzlib<1.2.13\theap-overflow\thttps://nvd.nist.gov/vuln/detail/CVE-2020-10002\n");
    publisher.file("/latest", "{\"assets\":[]}");
    publisher.file("/osv/Go/modified_id.csv", "../../etc/passwd\n");
    let said = fetch(&world, &publisher, "--json");
    assert_eq!(said.code, Some(2));
    let wanted = [("nvd", "failed"), ("cve5", "failed"), ("osv", "failed"), ("pkgsrc", "new"), ("kev", "failed")];
    assert_eq!(states(&said), wanted.map(|(source, state)| (source.to_owned(), state.to_owned())));
    let stderr = shown(&said, &publisher);
    assert!(stderr.contains("not fetched: nvd, cve5, osv, kev"), "{stderr}");
    assert!(stderr.contains("its SHA-256 is") && stderr.contains("has no archive"), "{stderr}");
    assert_ne!(built(&world), index, "pkgsrc is new, the rest is as it was");
}

#[test]
fn two_fetches_never_share_a_folder() {
    let (world, publisher) = (World::empty(), Publisher::new());
    world.file("raw/.lock", "");
    let lock = fs::File::open(world.path("raw/.lock")).unwrap();
    lock.lock().unwrap();
    let said = fetch(&world, &publisher, "--source kev");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("another fetch is at work in this folder"), "{}", said.shown());
    lock.unlock().unwrap();
    assert_eq!(fetch(&world, &publisher, "--source kev").code, Some(0));
}

#[test]
fn addresses_come_from_the_configuration_where_nothing_is_typed() {
    let (world, publisher) = (World::empty(), Publisher::new());
    world.file("aux.toml", &format!("[fetch.base]\nkev = \"{}\"\n", publisher.server.url("/kev.json")));
    assert_eq!(world.run("feed fetch --output raw --source kev").code, Some(0));
    let kept = world.path("raw/kev/known_exploited_vulnerabilities.json");
    world.file("aux.toml", &format!("[fetch.base]\nkev = \"file://{}\"\n", kept.display()));
    assert_eq!(world.run("feed fetch --output other --source kev").code, Some(0));
    assert!(world.path("other/kev/known_exploited_vulnerabilities.json").exists());
    world.file("aux.toml", "[fetch.base]\nkef = \"https://user:secret@mirror.example\"\n");
    let said = world.run("feed fetch --output raw --source kev");
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("`kef` is no source's address") && !said.stderr.contains("secret"),
        "{}",
        said.shown()
    );
}
