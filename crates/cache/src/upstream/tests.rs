//! Upstreams that are slow, die, come back or change, under a clock that stands still until a test moves it.
//!
//! The upstreams are real servers on loopback. Where time matters they are held at a gate, and never waited for.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use aux_io::http::Url;
use aux_nix::nar::Writer;
use aux_nix::narinfo::{Compression, Nar, NarUrl};
use aux_nix::signature::{KeyName, SecretKey};
use aux_nix::{NarInfo, Sha256, StorePath, nix32};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::advance;
use zeroize::Zeroizing;

use super::{ClosureError, Found, Lack, PullError, Upstream, Via};
use crate::cache::{Cache, Surroundings};
use crate::catalogue::{SharedSpace, Space};
use crate::http_server::{Answer, HttpServer};
use crate::names::{PathHash, SpaceName};
use crate::objects::Keep;
use crate::records::{Actor, NewSpace, UpstreamRow, UpstreamTerms};

const STORE: &str = "/nix/store";

/// A cache and what of it is asked.
struct World {
    cache: Arc<Cache>,
    space: SharedSpace,
    _data: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let cache = Arc::new(open(data.path()));
        let space = cache.space(&SpaceName::parse("staging").unwrap()).unwrap();
        Self { cache, space, _data: data }
    }

    /// Another cache of the same server.
    fn beside(&self, name: &str) -> Self {
        let name = SpaceName::parse(name).unwrap();
        let new = NewSpace {
            name,
            source: None,
            anonymous: false,
            signs: false,
            keys: Vec::new(),
            priority: 40,
            policy: String::new(),
        };
        let row = self.cache.records.create_space(&new, &Actor::server(Timestamp::UNIX_EPOCH)).unwrap().unwrap();
        self.cache.catalogue.put(Space::new(row));
        let space = self.cache.space(&new.name).unwrap();
        Self { cache: Arc::clone(&self.cache), space, _data: tempfile::tempdir().unwrap() }
    }

    /// Gives the cache an upstream at a URL, believed in the order of their names.
    fn follow(&self, name: &str, url: &str) {
        let terms = UpstreamTerms {
            name: SpaceName::parse(name).unwrap(),
            url: Url::parse(url).unwrap(),
            keys: vec![key().public().to_string()],
            priority: 40,
            names: Vec::new(),
            names_not: Vec::new(),
            redirects: Vec::new(),
            budget_milliseconds: 2_000,
        };
        let actor = Actor::server(Timestamp::UNIX_EPOCH);
        let row: UpstreamRow = self.cache.records.put_upstream(&self.space.row(), &terms, &actor).unwrap();
        self.cache.upstreams.put(self.cache.upstreams.set_up(row).unwrap());
    }

    async fn find(&self, hash: PathHash) -> Found {
        self.cache.find(&self.space, hash, &via()).await
    }

    /// Who offers a path; what was missing where nobody does.
    async fn finder(&self, hash: PathHash) -> Result<String, Lack> {
        match self.find(hash).await {
            Found::Offered(offered) => Ok(offered.upstream.name().to_owned()),
            Found::Lacking(lack) => Err(lack),
        }
    }

    fn upstream(&self, name: &str) -> Arc<Upstream> {
        let upstreams = self.cache.upstreams.of(self.space.read().row.number);
        upstreams.iter().find(|upstream| upstream.name() == name).cloned().unwrap()
    }

    fn breaker(&self, name: &str) -> &'static str {
        self.upstream(name).breaker(tokio::time::Instant::now()).word
    }

    /// How often an upstream answered so.
    fn count(&self, name: &str, answer: &str) -> u64 {
        self.upstream(name).counts.answers().into_iter().find(|(word, _)| *word == answer).unwrap().1
    }

    fn has(&self, path: &Thing) -> bool {
        self.space.read().path(path.hash).is_some()
    }
}

fn open(data: &Path) -> Cache {
    Cache::open(data, Surroundings::of_a_test(Keep::Chunks)).unwrap()
}

fn via() -> Via {
    Via::through(None, "near-1:key").unwrap()
}

fn key() -> SecretKey {
    SecretKey::new(KeyName::parse("upstream-1").unwrap(), Zeroizing::new([1; 32])).unwrap()
}

fn unanswered(names: &[&str]) -> Lack {
    Lack::Unanswered(names.iter().map(|name| (*name).to_owned()).collect())
}

/// A path of an upstream: its narinfo is signed.
#[derive(Clone)]
struct Thing {
    hash: PathHash,
    info: NarInfo,
    nar: Vec<u8>,
}

impl Thing {
    fn new(name: &str, needs: &[&str]) -> Self {
        let base = |name: &str| format!("{}-{name}", nix32::encode(&Sha256::of(name.as_bytes()).0[..20]));
        let mut writer = Writer::new(Vec::new());
        writer.file(false, name.len() as u64).unwrap();
        writer.content(name.as_bytes()).unwrap();
        writer.end_file().unwrap();
        let nar = writer.finish().unwrap();
        let (path, hash) = (format!("{STORE}/{}", base(name)), Sha256::of(&nar));
        let url = NarUrl::parse(&format!("nar/{}.nar", hash.nix32())).unwrap();
        let described = Nar { url, compression: Compression::None, hash, size: nar.len() as u64 };
        let mut info = NarInfo::new(StorePath::parse(&path).unwrap(), described).unwrap();
        info.references = needs.iter().map(|name| StorePath::parse_base(&base(name)).unwrap().into()).collect();
        info.sign(&key());
        Self { hash: PathHash::of(&info.path).unwrap(), info, nar }
    }
}

/// What honest upstreams answer of some paths.
fn answer(path: &str, paths: &[Thing]) -> Answer {
    let narinfo = |one: &&Thing| path == format!("/{}.narinfo", one.hash);
    if let Some(one) = paths.iter().find(narinfo) {
        return Answer::ok(one.info.print());
    }
    let nar = paths.iter().find(|one| path == format!("/{}", one.info.url));
    nar.map_or_else(|| Answer::new(404), |one| Answer::ok(one.nar.clone()))
}

fn upstream(paths: &[Thing]) -> HttpServer {
    let paths = paths.to_vec();
    HttpServer::start(move |request| answer(&request.path, &paths))
}

/// An upstream that says when it was asked and answers once it may.
struct Gated {
    server: HttpServer,
    asked: mpsc::UnboundedReceiver<()>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn new(paths: &[Thing]) -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let (paths, shut) = (paths.to_vec(), Arc::clone(&gate));
        let server = HttpServer::start(move |request| {
            sender.send(()).unwrap();
            drop(shut.1.wait_while(shut.0.lock().unwrap(), |is_open| !*is_open).unwrap());
            answer(&request.path, &paths)
        });
        Self { server, asked, gate }
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        self.open();
    }
}

fn nars_asked(server: &HttpServer) -> usize {
    server.requests().iter().filter(|request| request.path.starts_with("/nar/")).count()
}

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_miss_waits_two_seconds_and_not_a_moment_longer() {
    let world = World::new();
    let path = Thing::new("slow-1.0", &[]);
    let mut slow = Gated::new(std::slice::from_ref(&path));
    world.follow("slow", &slow.server.url(""));
    let (cache, space) = (Arc::clone(&world.cache), world.space.clone());
    let miss = tokio::spawn(async move { cache.find(&space, path.hash, &via()).await });
    slow.asked.recv().await.unwrap();
    advance(Duration::from_millis(1_999)).await;
    tokio::task::yield_now().await;
    assert!(!miss.is_finished());
    advance(Duration::from_millis(1)).await;
    let Found::Lacking(lack) = miss.await.unwrap() else { panic!("found") };
    assert_eq!(lack, unanswered(&["slow"]));
}

#[tokio::test(start_paused = true)]
async fn the_best_upstream_counts_if_it_answers_in_time_and_the_next_one_if_not() {
    let world = World::new();
    let (path, other) = (Thing::new("first-1.0", &[]), Thing::new("second-1.0", &[]));
    let paths = [path.clone(), other.clone()];
    let (mut best, next) = (Gated::new(&paths), upstream(&paths));
    world.follow("a-best", &best.server.url(""));
    world.follow("b-next", &next.url(""));
    for (hash, is_in_time) in [(other.hash, false), (path.hash, true)] {
        let (cache, space) = (Arc::clone(&world.cache), world.space.clone());
        let miss = tokio::spawn(async move { cache.find(&space, hash, &via()).await });
        best.asked.recv().await.unwrap();
        if is_in_time {
            best.open();
        } else {
            while world.count("b-next", "offered") == 0 {
                tokio::task::yield_now().await;
            }
            // The next one's answer is here; the best one still has its time.
            advance(Duration::from_secs(1)).await;
            assert!(!miss.is_finished());
            advance(Duration::from_secs(1)).await;
        }
        let Found::Offered(offered) = miss.await.unwrap() else { panic!("nobody offers it") };
        assert_eq!(offered.upstream.name(), if is_in_time { "a-best" } else { "b-next" });
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_is_asked_again_after_five_minutes_and_what_was_not_answered_after_seconds() {
    let world = World::new();
    let far = upstream(&[]);
    world.follow("far", &far.url(""));
    let hash = Thing::new("absent-1.0", &[]).hash;
    for (seconds, asked) in [(0, 1), (299, 1), (2, 2)] {
        advance(Duration::from_secs(seconds)).await;
        assert_eq!(world.finder(hash).await, Err(Lack::Absent));
        assert_eq!(far.requests().len(), asked);
    }
    world.follow("gone", &nowhere());
    for (seconds, failed) in [(0, 1), (9, 1), (2, 2)] {
        advance(Duration::from_secs(seconds)).await;
        assert_eq!(world.finder(hash).await, Err(unanswered(&["gone"])));
        assert_eq!(world.count("gone", "failed"), failed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_fails_is_left_alone_and_one_question_tries_it_again() {
    let world = World::new();
    let paths: Vec<Thing> = (0..8).map(|number| Thing::new(&format!("lib-{number}"), &[])).collect();
    let is_well = Arc::new(Mutex::new(false));
    let (served, well) = (paths.clone(), Arc::clone(&is_well));
    let far = HttpServer::start(
        move |request| {
            if *well.lock().unwrap() { answer(&request.path, &served) } else { Answer::new(503) }
        },
    );
    world.follow("far", &far.url(""));
    for path in &paths[..5] {
        assert_eq!(world.finder(path.hash).await, Err(unanswered(&["far"])));
    }
    assert_eq!((far.requests().len(), world.breaker("far")), (3, "open"));
    advance(Duration::from_secs(30)).await;
    // It is still ill: left alone again, for twice as long.
    assert_eq!(world.finder(paths[5].hash).await, Err(unanswered(&["far"])));
    assert_eq!(far.requests().len(), 4);
    *is_well.lock().unwrap() = true;
    advance(Duration::from_secs(59)).await;
    assert_eq!(world.finder(paths[6].hash).await, Err(unanswered(&["far"])));
    advance(Duration::from_secs(1)).await;
    assert_eq!(world.finder(paths[7].hash).await, Ok("far".to_owned()));
    assert_eq!((far.requests().len(), world.breaker("far")), (5, "closed"));
}

#[tokio::test]
async fn a_path_is_committed_once_all_it_needs_is_there_and_a_closure_is_pulled_for_that() {
    let world = World::new();
    let all = [
        Thing::new("program", &["libssl", "libc", "program"]),
        Thing::new("libssl", &["libc"]),
        Thing::new("libc", &["libc"]),
    ];
    let far = upstream(&all);
    world.follow("far", &far.url(""));
    let [program, library, base] = all;
    let pulled = world.cache.pull(&world.space, program.hash, &via()).await.unwrap();
    let mut waits_for = pulled.waits_for.clone();
    waits_for.sort();
    let mut expected = [library.hash, base.hash];
    expected.sort();
    assert_eq!((waits_for.as_slice(), world.has(&program)), (expected.as_slice(), false));
    world.cache.close(&world.space, program.hash, &via()).await.unwrap();
    assert!(world.has(&program) && world.has(&library) && world.has(&base));
    assert_eq!(nars_asked(&far), 3, "what was here is not fetched again");
    let trail = world.cache.records.trail(0, 100).unwrap();
    let pushes = trail.iter().filter(|entry| entry.act == "push" && entry.by == "upstream far");
    assert_eq!(
        pushes.filter_map(|entry| entry.subject.clone()).collect::<Vec<_>>(),
        [base.info.path.to_string(), library.info.path.to_string(), program.info.path.to_string()]
    );
    assert!(world.cache.check().unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_closure_with_a_hole_or_a_circle_is_not_committed_and_its_parts_stay_whole() {
    let world = World::new();
    let holed = [Thing::new("holed", &["part", "missing"]), Thing::new("part", &[])];
    let circle = [Thing::new("hen", &["egg"]), Thing::new("egg", &["hen"])];
    let far = upstream(&[&holed[..], &circle[..]].concat());
    world.follow("far", &far.url(""));
    let missing = Thing::new("missing", &[]).hash;
    let error = world.cache.close(&world.space, holed[0].hash, &via()).await.unwrap_err();
    assert!(matches!(*error, ClosureError::Absent { path } if path == missing), "{error}");
    let error = world.cache.close(&world.space, circle[0].hash, &via()).await.unwrap_err();
    assert!(matches!(*error, ClosureError::Circle { .. }), "{error}");
    // Asked for alone it comes, and is nobody's path.
    assert!(!world.cache.pull(&world.space, holed[0].hash, &via()).await.unwrap().waits_for.is_empty());
    assert!(!world.has(&holed[0]) && world.cache.check().unwrap().problems.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_an_upstream_that_was_taken_away_meanwhile_is_not_committed() {
    let world = World::new();
    let path = Thing::new("late-1.0", &[]);
    let mut far = Gated::new(std::slice::from_ref(&path));
    world.follow("far", &far.server.url(""));
    let (cache, space) = (Arc::clone(&world.cache), world.space.clone());
    let pull = tokio::spawn(async move { cache.pull(&space, path.hash, &via()).await });
    far.asked.recv().await.unwrap();
    world.cache.upstreams.remove(world.space.read().row.number, "far");
    far.open();
    let error = pull.await.unwrap().unwrap_err();
    assert!(matches!(*error, PullError::Absent), "{error}");
    assert!(world.cache.records.path(world.space.read().row.number, path.hash).unwrap().is_none());
}

#[tokio::test]
async fn a_nar_that_is_in_the_cache_is_not_fetched_and_knowing_its_hash_opens_no_other_cache() {
    let world = World::new();
    let path = Thing::new("shared-1.0", &[]);
    let far = upstream(std::slice::from_ref(&path));
    world.follow("far", &far.url(""));
    world.cache.pull(&world.space, path.hash, &via()).await.unwrap();
    // Another name for the same content, of which the upstream has no NAR at all.
    let mut twin = Thing::new("twin-1.0", &[]);
    (twin.info.nar_hash, twin.info.nar_size, twin.info.url) =
        (path.info.nar_hash, path.info.nar_size, NarUrl::parse("nar/elsewhere.nar").unwrap());
    twin.info.sign(&key());
    twin.nar = b"none".to_vec();
    let second = upstream(std::slice::from_ref(&twin));
    let other = world.beside("other");
    for world in [&world, &other] {
        world.follow("second", &second.url(""));
    }
    assert!(world.cache.pull(&world.space, twin.hash, &via()).await.unwrap().waits_for.is_empty());
    assert!(world.has(&twin));
    assert_eq!(nars_asked(&second), 0);
    let error = other.cache.pull(&other.space, twin.hash, &via()).await.unwrap_err();
    assert!(matches!(*error, PullError::Absent), "{error}");
    assert_eq!(nars_asked(&second), 1);
}

#[tokio::test]
async fn the_records_name_the_upstreams_again_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let path = Thing::new("kept-1.0", &[]);
    let far = upstream(std::slice::from_ref(&path));
    for is_first in [true, false] {
        let cache = Arc::new(open(data.path()));
        let space = cache.space(&SpaceName::parse("staging").unwrap()).unwrap();
        let world = World { cache, space, _data: tempfile::tempdir().unwrap() };
        if is_first {
            world.follow("far", &far.url(""));
        }
        assert_eq!(world.finder(path.hash).await, Ok("far".to_owned()));
    }
}
