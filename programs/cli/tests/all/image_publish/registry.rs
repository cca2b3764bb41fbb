//! An OCI registry: Debian's docker-registry, a way to it that can be held up, and servers that lie.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::{credentials, killed_when, never, publish, world_with, world_with_large_layer};
use crate::corpora::in_ci;
use crate::http_server::{Answer, HttpServer, Received};
use crate::image_build::{BUILD, IMAGE};
use crate::world::{World, skipped};

/// A registry of its own; it ends with the test.
struct Registry {
    child: Child,
    port: u16,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Registry {
    fn start(world: &World, settings: &str) -> Option<Self> {
        Self::start_with(world, |port| {
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
                 http: {{addr: \"127.0.0.1:{port}\", secret: of-this-test}}\n{settings}",
                world.path("registry").display()
            )
        })
    }

    /// The settings are made for the port it gets.
    #[expect(clippy::disallowed_methods, reason = "a real registry takes the image")]
    fn start_with(world: &World, settings: impl Fn(u16) -> String) -> Option<Self> {
        let program = Path::new("/usr/bin/docker-registry");
        if !program.exists() {
            assert!(!in_ci(), "docker-registry is not installed");
            skipped("no docker-registry; `apt-get install docker-registry` would bring it");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        world.file("registry.yml", &settings(port));
        let mut command = Command::new(program);
        command.arg("serve").arg(world.path("registry.yml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { child: command.spawn().unwrap(), port };
        let end = Instant::now() + Duration::from_secs(90);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the registry does not answer");
            std::thread::yield_now();
        }
        Some(registry)
    }

    fn place(&self) -> String {
        format!("oci:http://127.0.0.1:{}/team/origin", self.port)
    }

    /// What it answers to a plain request.
    fn status(&self, path: &str) -> u16 {
        // It denies what the asker does not say to understand.
        let accept = ("accept".to_owned(), "application/vnd.oci.image.manifest.v1+json".to_owned());
        let headers = std::collections::BTreeMap::from([accept]);
        let request = Received { method: "GET".to_owned(), path: path.to_owned(), headers, body: Vec::new() };
        forward(self.port, &request).status
    }
}

const TAG: &str = "/v2/team/origin/manifests/18.4.20181224102030";

/// Passes a request on, and its answer back.
fn forward(port: u16, request: &Received) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "connection") {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !request.headers.contains_key("host") {
        head.push_str("host: registry\r\n");
    }
    head.push_str("connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { body: bytes[end + 4..].to_vec(), ..Answer::new(status) };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if !["content-length", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            answer = answer.header(name, value);
        }
    }
    answer
}

/// A way to the registry on which the n-th request that `is_held` finds never goes on.
fn held_way(port: u16, number: usize, is_held: fn(&Received) -> bool) -> (HttpServer, Receiver<()>) {
    let (told, held) = channel();
    let told = Mutex::new(told);
    let left = AtomicUsize::new(number);
    let server = HttpServer::start(move |request| {
        if is_held(request) && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            told.lock().unwrap().send(()).unwrap();
            return never();
        }
        forward(port, request)
    });
    (server, held)
}

#[test]
fn a_real_registry_takes_it_and_others_fetch_it() {
    let world = world_with("");
    let Some(registry) = Registry::start(&world, "") else { return };
    let said = world.run(&format!("{} --dry-run --json", publish(&registry.place())));
    assert_eq!((said.code, said.json()["state"].as_str()), (Some(0), Some("planned")), "{}", said.shown());
    assert_eq!(registry.status(TAG), 404);
    let said = world.run(&format!("{} --json", publish(&registry.place())));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let said = said.json();
    assert_eq!((said["state"].as_str(), said["present_bytes"].as_u64()), (Some("published"), Some(0)));
    // The second time there is nothing to do, and under another tag no blob is sent again.
    let again = world.run(&format!("{} --json", publish(&registry.place()))).json();
    assert_eq!((again["state"].as_str(), &again["present_bytes"]), (Some("present"), &said["sent_bytes"]));
    let tagged = world.run(&format!("{} --json", publish(&format!("{}:newest", registry.place())))).json();
    assert_eq!((tagged["state"].as_str(), tagged["sent_bytes"].as_u64()), (Some("published"), Some(0)));
    peer("skopeo", &["--insecure-policy", "copy", "--src-tls-verify=false"], &world, &registry);
    // Another image never takes the place of this one.
    fs::rename(world.path("out"), world.path("before")).unwrap();
    world.run(&BUILD.replace("10:20:30", "10:20:31"));
    let other = IMAGE.replace("102030", "102031");
    let said =
        world.run(&format!("image publish out/{other} --to {}:18.4.20181224102030 --state state", registry.place()));
    assert!(said.code == Some(2) && said.stderr.contains("it is another"), "{}", said.shown());
}

#[expect(clippy::disallowed_methods, reason = "the peer is a program")]
fn peer(program: &str, arguments: &[&str], world: &World, registry: &Registry) {
    let from = format!("docker://127.0.0.1:{}/team/origin:newest", registry.port);
    let Ok(output) = Command::new(program)
        .args(arguments)
        .arg(from)
        .arg(format!("oci:{}:x", world.path("fetched").display()))
        .output()
    else {
        assert!(!in_ci(), "{program} is missing");
        return skipped(&format!("no {program} here; `apt-get install -y {program}` brings it"));
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let blobs = |folder: &str| fs::read_dir(world.path(folder).join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs("fetched"), blobs(&format!("out/{IMAGE}/oci")));
}

#[test]
fn killed_between_two_parts_it_goes_on_with_the_third_and_nobody_saw_anything() {
    let world = world_with_large_layer();
    let Some(registry) = Registry::start(&world, "") else { return };
    let (way, held) = held_way(registry.port, 5, |request| request.method == "PATCH");
    let to = format!("{} --chunk-bytes 131072", publish(&format!("oci:http://127.0.0.1:{}/team/origin", way.port())));
    killed_when(&world, &to, &held);
    assert_eq!(registry.status(TAG), 404);
    let before = way.asked().iter().filter(|asked| asked.starts_with("PATCH")).count();
    assert_eq!(before, 5);
    let said = world.run(&format!("{to} --json"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let layer = fs::metadata(world.path(&format!("out/{IMAGE}/{IMAGE}.tar.gz"))).unwrap().len();
    let (sent, parts) = (said.json()["sent_bytes"].as_u64().unwrap(), layer / 131_072);
    assert_eq!(sent, layer - 4 * 131_072, "of {parts} parts four were there");
    assert_eq!(registry.status(TAG), 200);
    // Nothing is left to go on with.
    let left = fs::read_to_string(world.path("state/uploads.json")).unwrap();
    assert!(!left.contains("http"), "{left}");
}

#[test]
fn killed_before_the_manifest_there_is_no_image_yet() {
    let world = world_with("");
    let Some(registry) = Registry::start(&world, "") else { return };
    let (way, held) =
        held_way(registry.port, 1, |request| request.method == "PUT" && request.path.contains("/manifests/"));
    let to = publish(&format!("oci:http://127.0.0.1:{}/team/origin", way.port()));
    killed_when(&world, &to, &held);
    assert_eq!(registry.status(TAG), 404);
    let said = world.run(&format!("{to} --json"));
    assert_eq!((said.code, said.json()["sent_bytes"].as_u64()), (Some(0), Some(0)), "{}", said.shown());
    assert_eq!(registry.status(TAG), 200);
}

#[test]
fn a_registry_that_forgot_the_upload_gets_it_from_the_beginning() {
    let world = world_with_large_layer();
    let Some(registry) = Registry::start(&world, "") else { return };
    let (way, held) = held_way(registry.port, 3, |request| request.method == "PATCH");
    let to = format!("{} --chunk-bytes 131072", publish(&format!("oci:http://127.0.0.1:{}/team/origin", way.port())));
    killed_when(&world, &to, &held);
    fs::remove_dir_all(world.path("registry")).unwrap();
    let said = world.run(&to);
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert_eq!(registry.status(TAG), 200);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "htpasswd makes what the registry reads")]
fn a_registry_with_passwords_wants_the_right_one() {
    let world = world_with("");
    let Ok(output) = Command::new("htpasswd").args(["-Bbn", "team", "hunter2"]).output() else {
        assert!(!in_ci(), "htpasswd is missing");
        return skipped("no htpasswd here; `apt-get install apache2-utils` brings it");
    };
    world.bytes("htpasswd", &output.stdout);
    let settings = format!("auth: {{htpasswd: {{realm: team, path: {}}}}}\n", world.path("htpasswd").display());
    let Some(registry) = Registry::start(&world, &settings) else { return };
    let without = world.run(&publish(&registry.place()));
    assert!(without.code == Some(2) && without.stderr.contains("wants credentials"), "{}", without.shown());
    for (password, code) in [("hunter1", 2), ("hunter2", 0)] {
        credentials(&world, &format!("team:{password}\n"), 0o600);
        let said = world.run(&format!("{} --credentials credentials", publish(&registry.place())));
        assert_eq!(said.code, Some(code), "{}", said.shown());
        assert!(!said.shown().contains("hunter"), "{}", said.shown());
    }
}

#[test]
fn a_registry_over_tls_is_believed_by_the_certificates_that_were_named() {
    let world = world_with("");
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/support/tls");
    let Some(registry) = Registry::start(&world, "") else { return };
    // The keys stand within the settings of its http.
    let settings = fs::read_to_string(world.path("registry.yml")).unwrap();
    drop(registry);
    let keys =
        format!("secret: of-this-test, tls: {{certificate: {0}/server.pem, key: {0}/server.key}}", tls.display());
    let secure = settings.replace("secret: of-this-test", &keys);
    let Some(registry) = Registry::start_with(&world, |port| {
        let old = settings.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap();
        secure.replace(old, &port.to_string())
    }) else {
        return;
    };
    let to = publish(&format!("oci:https://127.0.0.1:{}/team/origin", registry.port));
    let strange = world.run(&to);
    assert!(strange.code == Some(2) && strange.stderr.contains("not who it says it is"), "{}", strange.shown());
    let said = world.run(&format!("{to} --certificates {}", tls.join("authority.pem").display()));
    assert_eq!(said.code, Some(0), "{}", said.shown());
}

/// A registry of a few lines that takes everything, but for what `lies` says.
fn lying(lies: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |request| {
        if let Some(answer) = lies(request) {
            return answer;
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) => Answer::new(202).header("Location", &format!("{path}1")),
            ("PUT", _) => Answer::new(201),
            _ => Answer::new(404),
        }
    })
}

#[test]
fn servers_that_refuse_lie_or_fail_are_told_of_and_nothing_is_called_published() {
    let mut world = world_with("");
    let json = |status, text: &str| Answer { body: text.as_bytes().to_vec(), ..Answer::new(status) };
    let mut show = |what: &str, server: &HttpServer| {
        let said = world.run(&publish(&format!("oci:{}", server.url("/a"))));
        assert_eq!(said.code, Some(2), "{what}: {}", said.shown());
        let shown = said.shown().replace(&server.port().to_string(), "PORT");
        world.transcribe(what, &format!("\n{shown}"));
    };
    show("always in trouble", &lying(|_| Some(Answer::new(503))));
    show(
        "not allowed",
        &lying(move |request| {
            let words =
                r#"{"errors":[{"code":"DENIED","message":"requested access to \u001b[31mthe resource is denied"}]}"#;
            (request.method == "POST").then(|| json(403, words))
        }),
    );
    show("no image after all", &lying(|_| None));
    show(
        "elsewhere in the clear",
        &lying(|request| {
            (request.method == "POST").then(|| Answer::new(202).header("Location", "http://10.0.0.1/upload"))
        }),
    );
    show(
        "a file",
        &lying(|request| (request.method == "POST").then(|| Answer::new(202).header("Location", "file:///etc/passwd"))),
    );
    show("nowhere", &lying(|request| (request.method == "POST").then(|| Answer::new(202))));
    show(
        "another digest",
        &lying(|request| {
            (request.method == "PUT").then(|| Answer::new(201).header("Docker-Content-Digest", "sha256:00"))
        }),
    );
    show(
        "forgets each upload",
        &lying(|request| (request.method == "PUT" && request.path.contains("/blobs/")).then(|| Answer::new(404))),
    );
    show("a shorter blob", &lying(|request| (request.method == "HEAD").then(|| Answer::ok("short"))));
    show(
        "no token",
        &lying(|_| {
            Some(Answer::new(401).header("WWW-Authenticate", "Bearer realm=\"/token\",service=\"s\",scope=\"x\""))
        }),
    );
    show("hangs up", &lying(|_| Some(Answer { cut_after: Some(2), ..Answer::ok("much") })));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn trouble_that_passes_is_not_told_of_and_a_token_is_fetched_for_the_password() {
    let world = world_with("");
    let Some(registry) = Registry::start(&world, "") else { return };
    let (port, troubles) = (registry.port, AtomicUsize::new(0));
    let server = HttpServer::start(move |request| {
        if request.path.starts_with("/token") {
            let is_ours = request.headers.get("authorization").is_some_and(|value| value == "Basic dGVhbTpodW50ZXIy");
            return if is_ours { Answer::ok(r#"{"token":"abc"}"#) } else { Answer::new(403) };
        }
        if request.headers.get("authorization").is_none_or(|value| value != "Bearer abc") {
            let challenge = r#"Bearer realm="/token",service="registry",scope="repository:team/origin:pull,push""#;
            return Answer::new(401).header("WWW-Authenticate", challenge);
        }
        if troubles.fetch_add(1, Ordering::SeqCst) % 3 == 0 {
            return Answer::new(502);
        }
        forward(port, request)
    });
    credentials(&world, "team:hunter2", 0o600);
    let to = publish(&format!("oci:http://127.0.0.1:{}/team/origin", server.port()));
    let said = world.run(&format!("{to} --credentials credentials"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert_eq!(said.stderr, "");
    let asked = server.asked();
    assert!(asked.iter().any(|asked| asked.contains("scope=repository%3Ateam%2Forigin%3Apull%2Cpush")), "{asked:?}");
    assert_eq!(registry.status(TAG), 200);
}
