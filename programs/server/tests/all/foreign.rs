//! An upstream of a few lines that answers whatever a test wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aux_nix::nar::Writer;
use aux_nix::narinfo::{Compression, Nar, NarUrl};
use aux_nix::signature::{KeyName, SecretKey};
use aux_nix::{BaseName, NarInfo, Sha256, StorePath, nix32};

use crate::http_server::{Answer, HttpServer, Received};
use crate::world::World;

/// A server whose answers are put path by path; what was not put is not there.
pub(crate) struct Foreign {
    pub(crate) url: String,
    server: HttpServer,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
}

impl Foreign {
    pub(crate) fn new() -> Self {
        let answers: Arc<Mutex<BTreeMap<String, Answer>>> = Arc::default();
        let served = Arc::clone(&answers);
        let server = HttpServer::start(move |request| {
            let answer = served.lock().unwrap().get(&request.path).cloned();
            answer.unwrap_or_else(|| Answer::new(404))
        });
        Self { url: server.url(""), server, answers }
    }

    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(format!("/{path}"), answer);
    }

    /// Offers a path with its NAR, both honest.
    pub(crate) fn offer(&self, path: &Foreigner) {
        self.put(&path.narinfo_name(), Answer::ok(path.info.print()));
        self.put(path.info.url.as_str(), Answer::ok(path.nar.clone()));
    }

    /// How often it was asked for paths that end so.
    pub(crate) fn asked(&self, end: &str) -> usize {
        self.server.requests().iter().filter(|request| request.path.ends_with(end)).count()
    }
}

impl Foreign {
    /// What every request said of who asks.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let said = |request: Received| request.headers.get("authorization").cloned();
        self.server.requests().into_iter().map(said).collect()
    }
}

pub(crate) fn redirect(to: &str) -> Answer {
    Answer::new(302).header("Location", to)
}

/// A body of which nothing more than its first byte comes.
pub(crate) fn dripping() -> Answer {
    Answer { drip: Some(Duration::from_hours(1)), ..Answer::ok("StorePath: ") }
}

pub(crate) fn endless(piece: impl Into<Vec<u8>>) -> Answer {
    Answer { is_endless: true, ..Answer::ok(piece) }
}

/// A store path with one file in it, as an upstream has it.
#[derive(Clone)]
pub(crate) struct Foreigner {
    pub(crate) info: NarInfo,
    /// As it is sent.
    pub(crate) nar: Vec<u8>,
}

impl Foreigner {
    /// A path for the stores of a world, not signed yet.
    pub(crate) fn new(world: &World, name: &str, needs: &[&Self]) -> Self {
        let mut writer = Writer::new(Vec::new());
        writer.file(false, name.len() as u64).unwrap();
        writer.content(name.as_bytes()).unwrap();
        writer.end_file().unwrap();
        let nar = writer.finish().unwrap();
        let hash = nix32::encode(&Sha256::of(name.as_bytes()).0[..20]);
        let text = format!("{}/{hash}-{name}", world.path("store").display());
        let hash = Sha256::of(&nar);
        let url = NarUrl::parse(&format!("nar/{}.nar", hash.nix32())).unwrap();
        let described = Nar { url, compression: Compression::None, hash, size: nar.len() as u64 };
        let mut info = NarInfo::new(StorePath::parse(&text).unwrap(), described).unwrap();
        info.references = needs.iter().map(|other| other.info.path.clone()).collect();
        Self { info, nar }
    }

    pub(crate) fn signed(mut self, key: &SecretKey) -> Self {
        self.info.sign(key);
        self
    }

    pub(crate) fn base(&self) -> &BaseName {
        &self.info.path
    }

    pub(crate) fn narinfo_name(&self) -> String {
        format!("{}.narinfo", self.info.path.digest())
    }
}

/// A key whose secret everybody knows.
pub(crate) fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::new(KeyName::parse(name).unwrap(), zeroize::Zeroizing::new([seed; 32])).unwrap()
}
