//! imgapi: a server of a page that conforms to its documented routes, with channels, states and errors.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{credentials, killed_when, never, publish, world_with};
use crate::http_server::{Answer, HttpServer, Received};
use crate::image_build::IMAGE;
use crate::world::World;

const ORIGIN: &str = "c2c31b00-1d60-11e9-9a77-ff9f06554b0f";
const BELOW: &str = "fbda7200-57e7-11e9-bb3a-8b0b548fcc37";
const ACCOUNT: &str = "b5c5c13d-ccc0-5a43-9a46-245ff960cd81";

type Images = Arc<Mutex<BTreeMap<String, Value>>>;

/// What the server has, and how it behaves.
struct Imgapi {
    images: Images,
    channels: &'static [&'static str],
}

impl Imgapi {
    /// Two images on top of one another; the upper in `dev` and `release`, the lower where it is said.
    fn new(channels: &'static [&'static str], below: &[&str]) -> Self {
        let image = |uuid: &str, origin: Option<&str>, channels: Value| {
            let mut image = json!({ "v": 2, "uuid": uuid, "name": "base", "version": uuid[..8], "state": "active", "channels": channels });
            if let Some(origin) = origin {
                image["origin"] = json!(origin);
            }
            (uuid.to_owned(), image)
        };
        let all = [image(ORIGIN, Some(BELOW), json!(["dev", "release"])), image(BELOW, None, json!(below))];
        Self { images: Arc::new(Mutex::new(BTreeMap::from(all))), channels }
    }

    fn answer(&self, request: &Received) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query: Query<'_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        if parts == ["channels"] {
            let channel = |name: &&str| json!({ "name": name, "description": "x" });
            let list: Vec<Value> = self.channels.iter().map(channel).collect();
            return if list.is_empty() { error(404, "ResourceNotFound", path) } else { ok(&json!(list)) };
        }
        let is_known = |name: &&str| matches!(*name, "%2A" | "*") || self.channels.contains(name);
        if !self.channels.is_empty() && !query.get("channel").is_some_and(is_known) {
            return error(422, "ValidationFailed", "unknown channel");
        }
        let mut images = self.images.lock().unwrap();
        match (request.method.as_str(), parts.as_slice(), query.get("action").copied()) {
            ("GET", ["images"], _) => {
                let found: Vec<&Value> = images.values().filter(|image| image["name"] == query["name"]).collect();
                ok(&json!(found))
            }
            ("POST", ["images"], None) => {
                assert!(query.contains_key("account"));
                create(request, &query, "25ab9ddf-96e8-4157-899d-1dc8be7b9810", &mut images)
            }
            ("POST", ["images", _], Some("import")) if query.contains_key("account") => {
                error(403, "OperatorOnly", "this endpoint may only be called by an operator")
            }
            ("POST", ["images", uuid], Some("import")) if images.contains_key(*uuid) => {
                error(409, "ImageUuidAlreadyExists", "image uuid already exists")
            }
            ("POST", ["images", uuid], Some("import")) => create(request, &query, uuid, &mut images),
            (_, ["images", uuid, rest @ ..], _) => match images.get_mut(*uuid) {
                Some(image) => change(request, &query, rest, image),
                None => error(404, "ResourceNotFound", "image not found"),
            },
            _ => error(404, "ResourceNotFound", path),
        }
    }
}

type Query<'q> = BTreeMap<&'q str, &'q str>;

fn ok(value: &Value) -> Answer {
    Answer::ok(value.to_string())
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer { body: json!({ "code": code, "message": message }).to_string().into_bytes(), ..Answer::new(status) }
}

/// `CreateImage` and `AdminImportImage`.
fn create(request: &Received, query: &Query<'_>, uuid: &str, images: &mut BTreeMap<String, Value>) -> Answer {
    let mut image: Value = serde_json::from_slice(&request.body).unwrap();
    assert!(image.get("state").is_none() && image.get("files").is_none(), "{image}");
    if image["origin"].as_str().is_some_and(|origin| !images.contains_key(origin)) {
        return error(422, "OriginDoesNotExist", "origin does not exist");
    }
    image["uuid"] = json!(uuid);
    image["state"] = json!("unactivated");
    image["files"] = json!([]);
    if let Some(channel) = query.get("channel") {
        image["channels"] = json!([channel]);
    }
    images.insert(uuid.to_owned(), image.clone());
    ok(&image)
}

/// What can be done with an image that is there.
fn change(request: &Received, query: &Query<'_>, rest: &[&str], image: &mut Value) -> Answer {
    match (request.method.as_str(), rest, query.get("action").copied()) {
        ("GET", [], _) => {}
        ("PUT", ["file"], _) if image["state"] == "active" => {
            return error(422, "ImageFilesImmutable", "cannot modify files on activated image");
        }
        ("PUT", ["file"], _) => {
            assert_eq!(query["compression"], "gzip");
            image["files"] = json!([{ "sha1": query["sha1"], "size": request.body.len(), "compression": "gzip" }]);
        }
        ("POST", [], Some("channel-add")) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            image["channels"].as_array_mut().unwrap().push(body["channel"].clone());
        }
        ("POST", [], Some("activate")) if image["files"] == json!([]) => {
            return error(422, "NoActivationNoFile", "image cannot be activated: it has no file");
        }
        ("POST", [], Some("activate")) if image["state"] == "active" => {
            return error(422, "ImageAlreadyActivated", "image is already activated");
        }
        ("POST", [], Some("activate")) => image["state"] = json!("active"),
        _ => return error(404, "ResourceNotFound", &request.path),
    }
    ok(image)
}

/// A server that does `first` where that says something, and conforms otherwise.
fn server(imgapi: Imgapi, first: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |request| first(request).unwrap_or_else(|| imgapi.answer(request)))
}

fn to(server: &HttpServer, more: &str) -> String {
    format!("{} {more}", publish(&format!("imgapi:{}", server.url(""))))
}

fn world() -> World {
    world_with(&format!("origin = \"{ORIGIN}\"\nchannel = \"dev\""))
}

/// Requests that change something, without what is different each time.
fn changes(server: &HttpServer) -> Vec<String> {
    let asked = server.asked().into_iter().filter(|asked| !asked.starts_with("GET"));
    asked.map(|asked| asked.split("&sha1").next().unwrap().to_owned()).collect()
}

#[test]
fn it_is_imported_gets_its_file_and_is_activated_last() {
    let world = world();
    let imgapi = Imgapi::new(&["dev", "staging", "release"], &["dev", "release"]);
    let images = Arc::clone(&imgapi.images);
    let server = server(imgapi, |_| None);
    let dry = world.run(&to(&server, "--channel dev --channel release --dry-run"));
    assert_eq!((dry.code, changes(&server).len()), (Some(0), 0), "{}", dry.shown());
    credentials(&world, "team:hunter2", 0o600);
    let said = world.run(&to(&server, "--channel dev --channel release --credentials credentials --json"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let said = said.json();
    let uuid = said["uuid"].as_str().unwrap().to_owned();
    assert_eq!((&said["uuid"], &said["state"]), (&said["image"]["uuid"], &"published".into()));
    assert_eq!(said["channels"], json!(["dev", "release"]));
    let expected = [
        "?action=import&channel=dev",
        "/file?compression=gzip",
        "?action=channel-add&channel=dev",
        "?action=activate&channel=dev",
    ];
    let expected: Vec<String> = expected
        .iter()
        .map(|end| format!("{} /images/{uuid}{end}", if end.starts_with("/file") { "PUT" } else { "POST" }))
        .collect();
    assert_eq!(changes(&server), expected);
    assert!(server.requests().iter().skip(4).any(|request| request.headers.contains_key("authorization")));
    assert_eq!(images.lock().unwrap()[&uuid]["state"], "active");
    // The second time nothing is sent; a further channel is added alone.
    let again = world.run(&to(&server, "--channel dev --channel release --json")).json();
    assert_eq!((&again["state"], changes(&server).len()), (&"present".into(), 4));
    let refused = world.run(&to(&server, "--channel staging"));
    assert!(refused.code == Some(1) && refused.stderr.contains("not in staging"), "{}", refused.shown());
}

#[test]
fn rules_of_channels_are_checked_before_anything_is_sent() {
    let mut world = world();
    for (what, channels, below, more) in [
        ("the image below the image below is elsewhere", &["dev", "release"][..], &["release"][..], ""),
        ("no such channel", &["dev", "release"], &["dev"], "--channel experimental"),
        ("no channels", &[], &["dev"], ""),
    ] {
        let server = server(Imgapi::new(channels, below), |_| None);
        let said = world.run(&to(&server, more));
        assert_eq!((said.code, changes(&server)), (Some(1), Vec::new()), "{what}: {}", said.shown());
        world.transcribe(what, &format!("\n{}", said.shown().replace(&server.port().to_string(), "PORT")));
    }
    let imgapi = Imgapi::new(&["dev"], &["dev"]);
    imgapi.images.lock().unwrap().remove(BELOW);
    let server = server(imgapi, |_| None);
    let said = world.run(&to(&server, ""));
    assert_eq!((said.code, changes(&server)), (Some(1), Vec::new()), "{}", said.shown());
    world.transcribe("one is missing", &format!("\n{}", said.shown().replace(&server.port().to_string(), "PORT")));
    insta::assert_snapshot!(world.transcript());
}

type Held = fn(&Received) -> bool;

/// Holds the first request that `is_held` finds.
fn held(is_held: Held) -> (impl Fn(&Received) -> Option<Answer> + Send + Sync, Receiver<()>) {
    let (told, held) = channel();
    let told = Mutex::new(Some(told));
    let first = move |request: &Received| {
        let told = if is_held(request) { told.lock().unwrap().take() } else { None };
        told.map(|told| {
            told.send(()).unwrap();
            never()
        })
    };
    (first, held)
}

#[test]
fn killed_at_any_step_nothing_is_active_and_the_next_run_goes_on() {
    let steps: [(&str, Held); 3] = [
        ("import", |request| request.path.contains("action=import")),
        ("file", |request| request.method == "PUT"),
        ("activate", |request| request.path.contains("action=activate")),
    ];
    for (what, is_held) in steps {
        let world = world();
        let imgapi = Imgapi::new(&["dev"], &["dev"]);
        let images = Arc::clone(&imgapi.images);
        let (first, held) = held(is_held);
        let server = server(imgapi, first);
        killed_when(&world, &to(&server, ""), &held);
        let is_active = images
            .lock()
            .unwrap()
            .values()
            .filter(|image| image["name"] == "origin")
            .any(|image| image["state"] == "active");
        assert!(!is_active, "{what}");
        let said = world.run(&to(&server, "--json"));
        assert_eq!(
            (said.code, said.json()["state"].as_str()),
            (Some(0), Some("published")),
            "{what}: {}",
            said.shown()
        );
        let files = changes(&server).iter().filter(|asked| asked.starts_with("PUT")).count();
        assert_eq!(files, if what == "file" { 2 } else { 1 }, "{what}: a file that arrived is not sent again");
    }
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again() {
    let world = world();
    let imgapi = Imgapi::new(&["dev"], &["dev"]);
    let lost = Mutex::new(vec!["action=import", "/file", "action=activate"]);
    let inner = Imgapi { images: Arc::clone(&imgapi.images), channels: imgapi.channels };
    let server = server(imgapi, move |request| {
        let mut lost = lost.lock().unwrap();
        let place = lost.iter().position(|part| request.path.contains(part) && request.method != "GET")?;
        lost.remove(place);
        // It was done, and nobody hears of it.
        inner.answer(request);
        Some(Answer::new(502))
    });
    let said = world.run(&to(&server, ""));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{}", said.shown());
    assert_eq!(changes(&server).len(), 3);
}

#[test]
fn an_account_gets_an_image_of_its_own_and_goes_on_with_it() {
    // Without channels on the server, none is for the image either.
    let world = world_with(&format!("origin = \"{ORIGIN}\""));
    let imgapi = Imgapi::new(&[], &[]);
    let (first, held) = held(|request| request.method == "PUT");
    let server = server(imgapi, first);
    killed_when(&world, &to(&server, &format!("--account {ACCOUNT}")), &held);
    let said = world.run(&to(&server, &format!("--account {ACCOUNT} --json")));
    assert_eq!(
        (said.code, said.json()["uuid"].as_str()),
        (Some(0), Some("25ab9ddf-96e8-4157-899d-1dc8be7b9810")),
        "{}",
        said.shown()
    );
    let created = changes(&server).iter().filter(|asked| asked.starts_with("POST /images?")).count();
    assert_eq!(created, 1, "{:?}", changes(&server));
}

#[test]
fn refusals_are_told_in_the_servers_words_and_another_image_is_left_alone() {
    let mut world = world();
    let down = |request: &Received| {
        let body = br#"{"code":"StorageIsDown","message":"storage is down at the moment"}"#.to_vec();
        (request.method == "PUT").then(|| Answer { body, ..Answer::new(503) })
    };
    let liar = |request: &Received| {
        (request.method == "PUT").then(|| Answer::ok(json!({ "uuid": ORIGIN, "state": "unactivated" }).to_string()))
    };
    let page = |request: &Received| (request.method == "POST").then(|| Answer::ok("<html>"));
    let show = |world: &mut World, what: &str, server: &HttpServer| {
        let said = world.run(&to(server, ""));
        assert_eq!(said.code, Some(2), "{what}: {}", said.shown());
        let shown = said.shown().replace(&server.port().to_string(), "PORT");
        world.transcribe(what, &format!("\n{shown}"));
    };
    show(&mut world, "storage is down", &server(Imgapi::new(&["dev"], &["dev"]), down));
    show(&mut world, "no file after all", &server(Imgapi::new(&["dev"], &["dev"]), liar));
    show(&mut world, "a page", &server(Imgapi::new(&["dev"], &["dev"]), page));
    let manifest = std::fs::read(world.path(&format!("out/{IMAGE}/{IMAGE}.manifest.json"))).unwrap();
    let mut other: Value = serde_json::from_slice(&manifest).unwrap();
    other["state"] = json!("active");
    other["version"] = json!("1");
    let imgapi = Imgapi::new(&["dev"], &["dev"]);
    imgapi.images.lock().unwrap().insert(other["uuid"].as_str().unwrap().to_owned(), other);
    let server = server(imgapi, |_| None);
    show(&mut world, "another image has its UUID", &server);
    assert_eq!(changes(&server), Vec::<String>::new());
    insta::assert_snapshot!(world.transcript());
}
