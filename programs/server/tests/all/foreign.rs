//! An upstream of a few lines that answers whatever a test wants it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aux_nix::nar::Writer;
use aux_nix::narinfo::{Compression, Nar, NarUrl};
use aux_nix::signature::{KeyName, SecretKey};
use aux_nix::{BaseName, NarInfo, Sha256, StorePath, nix32};

use crate::world::World;

/// What is sent for one path.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status, further lines of the head, and a body.
    Whole(u16, String, Vec<u8>),
    /// A body that ends before the length that was stated.
    Short(Vec<u8>, usize),
    /// A body that never ends.
    Endless(Vec<u8>),
    /// A head and one byte of many, and then nothing.
    Dripping,
    /// Nothing at all, until the other side leaves.
    Silent,
    /// The end of the connection.
    Nothing,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, String::new(), body.into())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::Whole(302, format!("Location: {to}\r\n"), Vec::new())
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<BTreeMap<String, Reply>>,
    asked: Mutex<Vec<String>>,
}

pub(crate) struct Foreign {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Foreign {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        Self { url, shared }
    }

    pub(crate) fn put(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(format!("/{path}"), reply);
    }

    /// Offers a path with its NAR, both honest.
    pub(crate) fn offer(&self, path: &Foreigner) {
        self.put(&path.narinfo_name(), Reply::ok(path.info.print()));
        self.put(path.info.url.as_str(), Reply::ok(path.nar.clone()));
    }

    /// What was asked for so far, of paths that end so.
    pub(crate) fn asked(&self, end: &str) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|path| path.ends_with(end)).count()
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.asked.lock().unwrap().push(path.clone());
    let reply = shared.replies.lock().unwrap().get(&path).cloned();
    let reply = reply.unwrap_or_else(|| Reply::Whole(404, String::new(), Vec::new()));
    // Whoever has heard enough hangs up.
    let _hung_up = send(&mut stream, &mut reader, &reply);
}

fn send(stream: &mut TcpStream, reader: &mut dyn Read, reply: &Reply) -> std::io::Result<()> {
    let mut wait = || reader.read(&mut [0; 1]).map(drop);
    match reply {
        Reply::Whole(status, lines, body) => {
            write!(
                stream,
                "HTTP/1.1 {status} x\r\n{lines}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(body)
        }
        Reply::Short(body, length) => {
            write!(stream, "HTTP/1.1 200 x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
            stream.write_all(body)
        }
        Reply::Endless(piece) => {
            stream.write_all(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")?;
            loop {
                write!(stream, "{:x}\r\n", piece.len())?;
                stream.write_all(piece)?;
                stream.write_all(b"\r\n")?;
            }
        }
        Reply::Dripping => {
            stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nS")?;
            wait()
        }
        Reply::Silent => wait(),
        Reply::Nothing => Ok(()),
    }
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
        let mut file = writer.file(false, name.len() as u64).unwrap();
        file.put(name.as_bytes()).unwrap();
        file.finish().unwrap();
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
