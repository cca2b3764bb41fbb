//! Paths made here and pushed byte by byte, for what no honest Nix would send.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use aux_nix::nar::Writer;
use aux_nix::{ContentAddress, Sha256, nix32};

use crate::http::{Answer, request};
use crate::world::World;

/// How a NAR is packed.
#[derive(Clone, Copy)]
enum In {
    Zstd,
    Brotli,
}

/// A store path with one file in it.
pub(crate) struct Made {
    pub(crate) hash: String,
    pub(crate) base: String,
    pub(crate) nar: Vec<u8>,
    /// As it is put, where that is otherwise.
    packed: Option<(In, Vec<u8>)>,
    references: Vec<String>,
}

impl Made {
    /// A path of a name, whose file holds the text.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut writer = Writer::new(Vec::new());
        writer.file(false, text.len() as u64).unwrap();
        writer.content(text.as_bytes()).unwrap();
        writer.end_file().unwrap();
        let hash = nix32::encode(&Sha256::of(format!("{name} {text}").as_bytes()).0[..20]);
        Self {
            base: format!("{hash}-{name}"),
            hash,
            nar: writer.finish().unwrap(),
            packed: None,
            references: Vec::new(),
        }
    }

    pub(crate) fn needs(mut self, other: &Self) -> Self {
        self.references.push(other.base.clone());
        self
    }

    /// Put as zstd, in one frame, as Nix does.
    pub(crate) fn in_zstd(mut self) -> Self {
        self.packed = Some((In::Zstd, zstd::encode_all(&*self.nar, 1).unwrap()));
        self
    }

    /// Put as brotli, which nothing but its name tells.
    pub(crate) fn in_brotli(mut self) -> Self {
        let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4_096, 2, 22);
        encoder.write_all(&self.nar).unwrap();
        self.packed = Some((In::Brotli, encoder.into_inner()));
        self
    }

    fn put(&self) -> &[u8] {
        self.packed.as_ref().map_or(&self.nar, |(_, packed)| packed)
    }

    /// What a name ends with, and what a narinfo says.
    fn packing(&self) -> (&'static str, &'static str) {
        match self.packed {
            None => ("", "none"),
            Some((In::Zstd, _)) => (".zst", "zstd"),
            Some((In::Brotli, _)) => (".br", "br"),
        }
    }

    pub(crate) fn needing(mut self, base: &str) -> Self {
        self.references.push(base.to_owned());
        self
    }

    pub(crate) fn nar_url(&self) -> String {
        format!("nar/{}.nar{}", Sha256::of(self.put()).nix32(), self.packing().0)
    }

    /// What an answer with its NAR holds.
    pub(crate) fn unpacked(&self, sent: &[u8]) -> Vec<u8> {
        match self.packed {
            None => sent.to_vec(),
            Some((In::Zstd, _)) => zstd::decode_all(sent).unwrap(),
            Some((In::Brotli, _)) => {
                let mut unpacked = Vec::new();
                brotli::Decompressor::new(sent, 4_096).read_to_end(&mut unpacked).unwrap();
                unpacked
            }
        }
    }

    pub(crate) fn narinfo(&self, world: &World) -> String {
        let (store, nar_hash) = (world.store(), Sha256::of(&self.nar));
        format!(
            "StorePath: {}/{}\nURL: {}\nCompression: {}\nFileHash: {}\nFileSize: {}\nNarHash: {nar_hash}\n\
             NarSize: {}\nReferences: {}\n",
            store.display(),
            self.base,
            self.nar_url(),
            self.packing().1,
            Sha256::of(self.put()),
            self.put().len(),
            self.nar.len(),
            self.references.join(" ")
        )
    }

    pub(crate) fn put_nar(&self, world: &World, token: &str) -> Answer {
        world.ask(&format!("PUT /staging/{}", self.nar_url()), token, self.put())
    }

    pub(crate) fn put_narinfo(&self, world: &World, token: &str, text: &str) -> Answer {
        world.ask(&format!("PUT /staging/{}.narinfo", self.hash), token, text.as_bytes())
    }

    /// Pushes it; both requests must be answered with 201.
    pub(crate) fn push(&self, world: &World, token: &str) {
        assert_eq!(self.put_nar(world, token).status, 201);
        let answer = self.put_narinfo(world, token, &self.narinfo(world));
        assert_eq!(answer.status, 201, "{}", world.log());
    }
}

#[test]
fn a_content_address_that_the_nar_does_not_bear_out_is_refused() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    // As fetchers make them: a store path that follows from a file's own hash, and a NAR that holds another file.
    let said = format!("fixed:{}", Sha256::of(b"what was fetched"));
    let address = ContentAddress::parse(&said).unwrap();
    let store = world.path("store");
    let path = address.store_path(store.to_str().unwrap(), "source.tar", &BTreeSet::new(), false).unwrap();
    for (text, status) in [("what was forged", 422), ("what was fetched", 201)] {
        let mut made = Made::new("source.tar", text);
        (made.hash, made.base) = (path.digest().to_owned(), path.to_string());
        assert_eq!(made.put_nar(&world, &token).status, 201);
        let answer = made.put_narinfo(&world, &token, &format!("{}CA: {said}\n", made.narinfo(&world)));
        assert_eq!(answer.status, status, "{text}: {}", world.log());
    }
    // A path that does not follow from it at all.
    let other = Made::new("other", "text");
    assert_eq!(other.put_nar(&world, &token).status, 201);
    let narinfo = format!("{}CA: fixed:r:{}\n", other.narinfo(&world), Sha256::of(&other.nar));
    assert_eq!(other.put_narinfo(&world, &token, &narinfo).status, 422);
    assert_eq!(other.put_narinfo(&world, &token, &other.narinfo(&world)).status, 201);
}

#[test]
fn brotli_that_is_cut_longer_or_called_something_else_is_refused() {
    let world = World::new();
    let token = world.token("staging", &["push"]);
    let made = Made::new("hello-1.0", &"hello".repeat(10_000)).in_brotli();
    let put = |name: &str, body: &[u8]| {
        let answer = request(
            &world.listen,
            &format!("PUT /staging/nar/{name}"),
            &[("Authorization", &*format!("Bearer {token}")), ("Accept", "application/json")],
            body,
        );
        (answer.status, answer.json()["error"].as_str().map(str::to_owned))
    };
    let sent = made.put();
    let refused = |word: &str| (422, Some(word.to_owned()));
    assert_eq!(put("x.nar.br", &sent[..sent.len() - 1]), refused("packing"));
    assert_eq!(put("x.nar.br", &[sent, b"more"].concat()), refused("packing"));
    assert_eq!(put("x.nar.br", &made.nar), refused("packing"));
    for name in ["x.nar", "x.nar.xz"] {
        assert_eq!(put(name, sent), refused("nar"), "{name}");
    }
    assert_eq!(made.put_nar(&world, &token).status, 201);
    // What it says of itself is what it is.
    let lie = made.narinfo(&world).replace("Compression: br", "Compression: xz");
    assert_eq!(made.put_narinfo(&world, &token, &lie).status, 201);
    let said = world.ask(&format!("GET /staging/{}.narinfo", made.hash), &token, b"").text().to_owned();
    assert!(said.contains("\nCompression: br\n"), "{said}");
    assert_eq!(world.api("POST", "fsck", &serde_json::json!({}))["clean"], true);
}
