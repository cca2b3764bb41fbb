//! The proof that a store path follows from a NAR, which takes the place of a signature.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::digests::{Digest, ModuloDigest};
use super::{ContentAddress, ContentAddressError, Method};
use crate::hash::{Algorithm, Sha256Hasher};
use crate::nar::{Event, NarError, Reader};
use crate::signature::{Proof, Verified};
use crate::{BaseName, Hash, NarInfo, Sha256};

/// What is read of a file at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Why a narinfo's content address does not vouch for it.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error("it has no content address")]
    None,
    #[error(transparent)]
    Address(#[from] ContentAddressError),
    #[error("its content address belongs to the store path {expected}")]
    Path { expected: BaseName },
    #[error("its content address and its NarHash contradict each other")]
    NarHash,
    #[error("only its NAR can show that it is what its content address says")]
    NeedsNar,
    #[error("hashes as in `{0}` are not computed here, so it cannot be held against the NAR")]
    Unsupported(String),
    #[error("its content address is of a single file, and its NAR holds something else")]
    NotFile,
    #[error(transparent)]
    Nar(#[from] NarError),
    #[error("its NAR has the hash {hash} and {size} bytes, which is not what it says")]
    OtherNar { hash: Sha256, size: u64 },
    #[error("its content has the hash {found}, which is not what its content address says")]
    Content { found: Hash },
}

impl NarInfo {
    /// The proof by what the narinfo says alone, which suffices where the content address is the NAR's own SHA-256; for all
    /// else it is [`ContentError::NeedsNar`] and then [`Self::verify_content`].
    pub fn verify_content_address(&self) -> Result<Verified<&Self>, ContentError> {
        let address = self.address_of_path()?;
        if address.method != Method::Recursive
            || address.hash.algorithm() != Algorithm::Sha256
            || self.refers_to_itself()
        {
            return Err(ContentError::NeedsNar);
        }
        if address.hash != self.nar_hash.into() {
            return Err(ContentError::NarHash);
        }
        Ok(Verified::new(self, Proof::ContentAddress))
    }

    /// The proof by the content: reads a NAR to its end, strictly, and holds it against everything the narinfo says of it.
    pub fn verify_content<R: Read>(&self, nar: R) -> Result<Verified<&Self>, ContentError> {
        let address = self.address_of_path()?;
        let unsupported = || ContentError::Unsupported(address.to_string());
        let digest = Digest::new(address.hash.algorithm()).filter(|_| address.method != Method::Git);
        let digest = digest.ok_or_else(unsupported)?;
        let mut tee = Tee { nar, hasher: Sha256Hasher::default(), size: 0, modulo: None };
        let found = if address.method == Method::Recursive {
            let own = if self.refers_to_itself() { self.path.digest() } else { "" };
            tee.modulo = Some(ModuloDigest::new(digest, own));
            read_all(&mut tee)?;
            tee.modulo.take().map(ModuloDigest::finish).unwrap_or_default()
        } else {
            read_file(&mut tee, digest)?.into_iter().collect()
        };
        let (hash, size) = (tee.hasher.finish(), tee.size);
        if (hash, size) != (self.nar_hash, self.nar_size) {
            return Err(ContentError::OtherNar { hash, size });
        }
        if found.contains(&address.hash) {
            return Ok(Verified::new(self, Proof::ContentAddress));
        }
        Err(found.into_iter().next().map_or_else(unsupported, |found| ContentError::Content { found }))
    }

    fn refers_to_itself(&self) -> bool {
        self.references.contains(&self.path)
    }

    /// The content address, from which the store path follows.
    fn address_of_path(&self) -> Result<&ContentAddress, ContentError> {
        let address = self.content_address.as_ref().ok_or(ContentError::None)?;
        let others: BTreeSet<BaseName> = self.references.iter().filter(|path| **path != self.path).cloned().collect();
        let expected =
            address.store_path(self.store_directory(), self.path.name(), &others, self.refers_to_itself())?;
        if expected == self.path { Ok(address) } else { Err(ContentError::Path { expected }) }
    }
}

fn read_all<R: Read>(tee: &mut Tee<R>) -> Result<(), NarError> {
    let mut reader = Reader::new(tee);
    while reader.next()?.is_some() {}
    Ok(())
}

/// The hash of the one file of a NAR.
fn read_file<R: Read>(tee: &mut Tee<R>, mut digest: Digest) -> Result<Option<Hash>, ContentError> {
    let mut reader = Reader::new(tee);
    let Some((Event::File { .. }, mut content)) = reader.next_with_content()? else {
        return Err(ContentError::NotFile);
    };
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let offset = content.offset();
        let length = content.read(&mut buffer).map_err(|error| NarError::of_read(offset, error))?;
        match buffer.get(..length) {
            None | Some([]) => break,
            Some(bytes) => digest.update(bytes),
        }
    }
    while reader.next()?.is_some() {}
    Ok(digest.finish())
}

/// Hashes what passes through.
struct Tee<R> {
    nar: R,
    hasher: Sha256Hasher,
    size: u64,
    modulo: Option<ModuloDigest>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.nar.read(buffer)?;
        let bytes = buffer.get(..length).unwrap_or_default();
        self.hasher.update(bytes);
        self.size += u64::try_from(length).unwrap_or(u64::MAX);
        if let Some(modulo) = &mut self.modulo {
            modulo.update(bytes);
        }
        Ok(length)
    }
}
