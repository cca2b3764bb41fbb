//! Paths made here and pushed byte by byte, for what no honest Nix would send.

use std::collections::BTreeSet;

use aux_nix::nar::Writer;
use aux_nix::{ContentAddress, Sha256, nix32};

use crate::http::Answer;
use crate::world::World;

/// A store path with one file in it.
pub(crate) struct Made {
    pub(crate) hash: String,
    pub(crate) base: String,
    pub(crate) nar: Vec<u8>,
    /// As it is put, where that is otherwise.
    packed: Option<Vec<u8>>,
    references: Vec<String>,
}

impl Made {
    /// A path of a name, whose file holds the text.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut writer = Writer::new(Vec::new());
        let mut file = writer.file(false, text.len() as u64).unwrap();
        file.put(text.as_bytes()).unwrap();
        file.finish().unwrap();
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
        self.packed = Some(zstd::encode_all(&*self.nar, 1).unwrap());
        self
    }

    fn put(&self) -> &[u8] {
        self.packed.as_ref().unwrap_or(&self.nar)
    }

    pub(crate) fn needing(mut self, base: &str) -> Self {
        self.references.push(base.to_owned());
        self
    }

    pub(crate) fn nar_url(&self) -> String {
        let suffix = if self.packed.is_some() { ".zst" } else { "" };
        format!("nar/{}.nar{suffix}", Sha256::of(self.put()).nix32())
    }

    /// What an answer with its NAR holds.
    pub(crate) fn unpacked(&self, sent: &[u8]) -> Vec<u8> {
        if self.packed.is_some() { zstd::decode_all(sent).unwrap() } else { sent.to_vec() }
    }

    pub(crate) fn narinfo(&self, world: &World) -> String {
        let (store, nar_hash) = (world.store(), Sha256::of(&self.nar));
        format!(
            "StorePath: {}/{}\nURL: {}\nCompression: {}\nFileHash: {}\nFileSize: {}\nNarHash: {nar_hash}\n\
             NarSize: {}\nReferences: {}\n",
            store.display(),
            self.base,
            self.nar_url(),
            if self.packed.is_some() { "zstd" } else { "none" },
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
