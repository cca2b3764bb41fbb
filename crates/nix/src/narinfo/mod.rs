//! A narinfo: what a binary cache says of one store path ([format](../../../../docs/formats/narinfo.md)).

mod compression;
mod error;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod url;

use std::collections::BTreeSet;

pub use compression::Compression;
pub use error::NarInfoError;
pub use url::{NarUrl, NarUrlError};

use crate::signature::{SecretKey, Signature, SignatureError, TrustedKeys, Verified};
use crate::{BaseName, ContentAddress, Sha256, StorePath};

/// One store path as a cache offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarInfo {
    store_directory: String,
    /// The store path's last part.
    pub path: BaseName,
    /// Where its NAR is, below the cache.
    pub url: NarUrl,
    pub compression: Compression,
    /// Of the NAR as it is sent.
    pub file_hash: Option<Sha256>,
    /// Of the NAR as it is sent, bytes.
    pub file_size: Option<u64>,
    /// Of the NAR itself.
    pub nar_hash: Sha256,
    /// Of the NAR itself, bytes; never 0.
    pub nar_size: u64,
    /// Itself may be among them.
    pub references: BTreeSet<BaseName>,
    pub deriver: Option<BaseName>,
    system: Option<String>,
    /// In the order in which they stand.
    pub signatures: Vec<Signature>,
    pub content_address: Option<ContentAddress>,
}

/// What a cache cannot leave out.
#[derive(Debug, Clone)]
pub struct Nar {
    pub url: NarUrl,
    pub compression: Compression,
    pub hash: Sha256,
    /// Bytes.
    pub size: u64,
}

impl NarInfo {
    /// One with nothing but what must be there.
    pub fn new(path: StorePath<'_>, nar: Nar) -> Result<Self, NarInfoError> {
        if nar.size == 0 {
            return Err(NarInfoError::Missing { field: "NarSize" });
        }
        Ok(Self {
            store_directory: parse::store_directory(path.directory(), 1)?.to_owned(),
            path: path.into(),
            url: nar.url,
            compression: nar.compression,
            file_hash: None,
            file_size: None,
            nar_hash: nar.hash,
            nar_size: nar.size,
            references: BTreeSet::new(),
            deriver: None,
            system: None,
            signatures: Vec::new(),
            content_address: None,
        })
    }

    /// Reads a whole document.
    pub fn parse(document: &[u8]) -> Result<Self, NarInfoError> {
        parse::parse(document)
    }

    /// The document, as Nix writes it.
    pub fn print(&self) -> String {
        print::print(self)
    }

    /// `/nix/store`.
    pub fn store_directory(&self) -> &str {
        &self.store_directory
    }

    /// The whole store path.
    pub fn store_path(&self) -> String {
        self.path.in_store(&self.store_directory)
    }

    /// `x86_64-linux`, where an old cache says it; nothing signs it.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// What a signature is about: path, hash, size and references. The deriver and the URL are not in it.
    pub fn fingerprint(&self) -> String {
        let references: Vec<_> = self.references.iter().map(|path| path.in_store(&self.store_directory)).collect();
        format!("1;{};{};{};{}", self.store_path(), self.nar_hash, self.nar_size, references.join(","))
    }

    /// Adds a key's signature, in the place of what stands there under its name.
    pub fn sign(&mut self, key: &SecretKey) {
        let signature = key.sign(self.fingerprint().as_bytes());
        self.signatures.retain(|other| other.key != signature.key);
        self.signatures.push(signature);
    }

    /// The proof that a trusted key signed it.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Verified<&Self>, SignatureError> {
        keys.verify(self, self.fingerprint().as_bytes(), &self.signatures)
    }
}
