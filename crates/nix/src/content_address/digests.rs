//! Hashes of any algorithm Nix addresses content with, over bytes that come piece by piece.

use aws_lc_rs::digest;

use crate::Hash;
use crate::hash::Algorithm;

/// A hash in the making.
#[derive(Clone)]
pub(super) struct Digest {
    algorithm: Algorithm,
    context: digest::Context,
}

impl Digest {
    /// `None` for algorithms that are not computed here: Nix no longer makes MD5, and BLAKE3 is experimental there.
    pub(super) fn new(algorithm: Algorithm) -> Option<Self> {
        let function = match algorithm {
            Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &digest::SHA256,
            Algorithm::Sha512 => &digest::SHA512,
            Algorithm::Md5 | Algorithm::Blake3 => return None,
        };
        Some(Self { algorithm, context: digest::Context::new(function) })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(super) fn finish(self) -> Option<Hash> {
        Hash::new(self.algorithm, self.context.finish().as_ref())
    }
}

/// The hash of a NAR that holds its own digest: with zeros in its place.
pub(super) struct ModuloDigest {
    digest: Digest,
    own: Vec<u8>,
    /// Bytes that were not hashed yet, because the digest may begin in them.
    held: Vec<u8>,
    offset: u64,
    places: Vec<u64>,
}

impl ModuloDigest {
    pub(super) fn new(digest: Digest, own: &str) -> Self {
        Self { digest, own: own.as_bytes().to_vec(), held: Vec::new(), offset: 0, places: Vec::new() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(found) = self.held.get(start..).and_then(|rest| find(rest, &self.own)) {
            let end = start + found + self.own.len();
            self.held.get_mut(start + found..end).unwrap_or_default().fill(0);
            self.places.push(self.offset + u64::try_from(start + found).unwrap_or(u64::MAX));
            start = end;
        }
        let kept = self.held.len().min(self.own.len().saturating_sub(1)).min(self.held.len() - start);
        self.hash(self.held.len() - kept);
    }

    /// Both hashes that Nix has for it: that of everything, as Nix computes it today, and that of the places after it, as
    /// Nix 2.8 did.
    pub(super) fn finish(mut self) -> Vec<Hash> {
        self.hash(self.held.len());
        let mut with_places = self.digest.clone();
        for place in &self.places {
            with_places.update(format!("|{place}").as_bytes());
        }
        [self.digest.finish(), with_places.finish()].into_iter().flatten().collect()
    }

    fn hash(&mut self, length: usize) {
        self.digest.update(self.held.get(..length).unwrap_or_default());
        self.held.drain(..length);
        self.offset += u64::try_from(length).unwrap_or(u64::MAX);
    }
}

/// Where something begins, which nothing never does.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let begins = |(_, byte): &(usize, &u8)| *byte == first;
    let mut places = bytes.iter().enumerate().filter(begins).map(|(place, _)| place);
    places.find(|place| bytes.get(*place..).is_some_and(|rest| rest.starts_with(wanted)))
}
