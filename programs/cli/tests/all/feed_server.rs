//! A feed behind a real web server, over a connection that breaks, and for a client that dies: it is always whole.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aux_advisory::index::Index;
use aux_sync::State;
use serde_json::{Value, json};

use crate::corpora::{corpus, in_ci};
use crate::team::{STATE, copy, done, follow, kept_index, publish, publisher, sync, url};
use crate::world::{World, skipped};

/// nginx with a folder to serve; it ends with the test.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "a real web server serves the feed")]
pub(crate) fn nginx(world: &World) -> Option<Nginx> {
    let programs = ["/usr/sbin/nginx", "/usr/bin/nginx"];
    let Some(program) = programs.iter().find(|program| Path::new(program).exists()) else {
        assert!(!in_ci(), "nginx is not installed");
        skipped("no nginx; `apt-get install nginx-light` would bring it");
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = world.path("");
    let place = folder.display();
    world.file(
        "nginx.conf",
        &format!(
            "daemon off; pid {place}/nginx.pid; error_log {place}/nginx-error.log; worker_processes 1;\n\
             events {{}}\n\
             http {{ access_log {place}/nginx-access.log; client_body_temp_path {place}/t1; proxy_temp_path {place}/t2;\n\
             fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;\n\
             server {{ listen 127.0.0.1:{port}; root {place}/team/public; }} }}\n"
        ),
    );
    let mut command = Command::new(program);
    command.arg("-c").arg(world.path("nginx.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let nginx = Nginx { child: command.spawn().unwrap(), port };
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "nginx does not answer");
        std::thread::yield_now();
    }
    // It drops root's rights; what it serves must be readable for everybody.
    open_to_all(&world.outside(""));
    Some(nginx)
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for folder in path.ancestors().take(2) {
        drop(fs::set_permissions(folder, fs::Permissions::from_mode(0o755)));
    }
}

#[test]
fn a_real_web_server_serves_the_feed() {
    let world = publisher();
    publish(&world, 200, 1);
    let Some(nginx) = nginx(&world) else { return };
    let url = format!("http://127.0.0.1:{}/", nginx.port);
    assert_eq!(follow(&world, &url)["means"], "whole");
    publish(&world, 200, 2);
    let second = done(&sync(&world, &url)).json();
    assert_eq!((&second["means"], &second["requests"]), (&"delta".into(), &5.into()));
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());
    // A target whose beginning is here already is continued by a range request.
    fs::remove_dir_all(world.outside(STATE)).unwrap();
    let packed = fs::read_dir(world.path("team/public/targets")).unwrap().map(|entry| entry.unwrap().path());
    let newest = newest_index(&world);
    let packed = packed.filter(|path| path.ends_with(&newest)).collect::<Vec<_>>();
    let [packed] = packed.as_slice() else { panic!("one index of the newest serial") };
    let bytes = fs::read(packed).unwrap();
    let part = world.outside(STATE).join("partial").join(format!("{newest}.part"));
    crate::world::write(&part, &bytes[..bytes.len() / 2]);
    let resumed = follow(&world, &url);
    assert!(resumed["bytes"].as_u64().unwrap() < bytes.len() as u64 / 2 + 4000, "{resumed}");
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());
    let log = fs::read_to_string(world.path("nginx-access.log")).unwrap();
    assert!(log.contains("\" 206 "), "{log}");
    // A beginning that is wrong is noticed by the hash, and is not there the next time.
    fs::remove_dir_all(world.outside(STATE)).unwrap();
    crate::world::write(&part, &vec![7; bytes.len() / 2]);
    let root = world.path("team/public/root.json");
    let wrong = world.run(&format!("feed sync {url} --root {}", root.display()));
    assert_eq!(wrong.code, Some(2), "{}", wrong.shown());
    assert_eq!(follow(&world, &url)["means"], "whole");
}

/// The file name of the newest packed index, as the metadata has it.
fn newest_index(world: &World) -> String {
    let public = world.path("team/public");
    let names = fs::read_dir(&public).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let version = |name: &String| name.strip_suffix(".targets.json")?.parse::<u64>().ok();
    let newest = names.filter_map(|name| version(&name)).max().unwrap();
    let targets: Value =
        serde_json::from_slice(&fs::read(public.join(format!("{newest}.targets.json"))).unwrap()).unwrap();
    let hash = targets["signed"]["targets"]["feed.auxdb.zst"]["hashes"]["sha256"].as_str().unwrap();
    format!("{hash}.feed.auxdb.zst")
}

/// A server that knows ranges and cuts the first connections of each target in the middle.
fn cutting_server(folder: PathBuf, cuts: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range = headers.iter().find_map(|line| {
                let (name, value) = line.split_once(": bytes=")?;
                name.eq_ignore_ascii_case("range").then(|| value.trim_end_matches('-').parse::<usize>().unwrap())
            });
            let Ok(bytes) = fs::read(folder.join(path.trim_start_matches('/'))) else {
                drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                continue;
            };
            let start = range.unwrap_or(0);
            let rest = &bytes[start..];
            let head = match range {
                Some(_) => {
                    format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{}", bytes.len() - 1, bytes.len())
                }
                None => "200 OK".to_owned(),
            };
            let is_cut = path.contains("targets/") && counter.load(Ordering::SeqCst) < cuts;
            let sent = if is_cut { &rest[..rest.len() / 3] } else { rest };
            counter.fetch_add(usize::from(is_cut), Ordering::SeqCst);
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)));
        }
    });
    (format!("http://{address}/"), made)
}

#[test]
fn a_cut_connection_is_continued_where_it_stopped_in_this_process_and_in_the_next() {
    let world = publisher();
    publish(&world, 200, 1);
    let size = fs::metadata(world.path("team/public/targets").join(newest_index(&world))).unwrap().len();
    let (server, cuts) = cutting_server(world.path("team/public"), 3);
    let said = follow(&world, &server);
    assert_eq!((cuts.load(Ordering::SeqCst), &said["means"]), (3, &"whole".into()));
    assert!(said["bytes"].as_u64().unwrap() < size + 4000, "nothing came twice: {said}");

    fs::remove_dir_all(world.outside(STATE)).unwrap();
    let (server, _) = cutting_server(world.path("team/public"), 5);
    let root = world.path("team/public/root.json");
    let given_up = world.run(&format!("feed sync {server} --root {}", root.display()));
    assert_eq!(given_up.code, Some(2), "{}", given_up.shown());
    let said = follow(&world, &server);
    assert!(said["bytes"].as_u64().unwrap() < size / 3 + 4000, "{said} of {size}");
    assert_eq!(kept_index(&world), fs::read(world.path("next.auxdb")).unwrap());
}

#[test]
fn a_client_killed_anywhere_has_a_valid_feed() {
    const KILLS: u32 = 200;
    let world = publisher();
    publish(&world, 60, 1);
    follow(&world, &url(&world));
    let (state, clean) = (world.outside(STATE), world.outside("clean"));
    copy(&state, &clean);
    let first = kept_index(&world);
    publish(&world, 60, 2);
    let second = fs::read(world.path("next.auxdb")).unwrap();
    let start = Instant::now();
    done(&sync(&world, &url(&world)));
    let whole = start.elapsed();
    let mut seed = 1_u32;
    let (mut died, mut were_second) = (0, 0);
    for round in 0..KILLS {
        fs::remove_dir_all(&state).unwrap();
        copy(&clean, &state);
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = whole.mul_f64(f64::from(seed >> 8) / f64::from(1_u32 << 24) * 1.2);
        let mut child = world.command(&format!("feed sync {} --quiet", url(&world)));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + moment;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        died += u32::from(child.wait().unwrap().code().is_none());
        let kept = State::new(&state);
        let current = kept.current().unwrap().unwrap();
        let bytes = fs::read(kept.index_path(&current)).unwrap();
        Index::open(&bytes).unwrap();
        assert!(bytes == first || bytes == second, "round {round}");
        were_second += u32::from(bytes == second);
        if round % 10 == 0 {
            // And the next sync finds nothing in its way.
            done(&sync(&world, &url(&world)));
            assert_eq!(kept_index(&world), second);
        }
    }
    assert!(died > KILLS / 4, "{died} of {KILLS} were killed");
    assert!(were_second < KILLS, "{were_second} of {KILLS} were done before");
}

#[test]
fn deltas_of_twenty_steps_of_real_advisories_give_the_very_bytes_of_the_index() {
    let Some(path) = corpus("nvd/nvdcve-2.0-2003.json.gz") else { return };
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let mut entries = document["vulnerabilities"].as_array().unwrap().clone();
    let modified = |entry: &Value| entry["cve"]["lastModified"].as_str().unwrap().to_owned();
    entries.sort_by_key(modified);
    let world = publisher();
    let client = |serial: usize| world.path(&format!("client-{serial}")).display().to_string();
    let root = world.path("team/public/1.root.json").display().to_string();
    for serial in 1..=20 {
        let present = &entries[..entries.len() * (800 + 10 * serial) / 1000];
        let document = json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": present });
        world.file("nvd.json", &document.to_string());
        done(&world.run("feed build --nvd nvd.json --output next.auxdb --quiet"));
        done(&world.run("feed publish next.auxdb --repo team"));
        // One client follows every step; every fourth step a new one comes and stays behind.
        let root_once = if serial == 1 { format!("--root {root}") } else { String::new() };
        done(&world.run(&format!("feed sync {} {root_once} --state {}", url(&world), client(0))));
        assert_eq!(index_in(&client(0)), fs::read(world.path("next.auxdb")).unwrap(), "step {serial}");
        if serial % 4 == 1 {
            done(&world.run(&format!("feed sync {} --root {root} --state {}", url(&world), client(serial))));
        }
    }
    for serial in (1..20).step_by(4) {
        let said = done(&world.run(&format!("feed sync {} --state {} --json", url(&world), client(serial)))).json();
        assert_eq!(said["means"], "delta", "{serial}: {said}");
        assert_eq!(index_in(&client(serial)), fs::read(world.path("next.auxdb")).unwrap(), "from {serial}");
    }
}

fn index_in(state: &str) -> Vec<u8> {
    let state = State::new(state);
    fs::read(state.index_path(&state.current().unwrap().unwrap())).unwrap()
}
