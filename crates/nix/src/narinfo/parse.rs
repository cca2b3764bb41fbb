//! Reads a narinfo: as Nix does, but a field that counts once must stand once, and every value must be one.

use std::collections::BTreeSet;

use aux_core::limits::{NARINFO_BYTES_MAX, NARINFO_SIGNATURES_MAX};

use super::{Compression, NarInfo, NarInfoError, NarUrl};
use crate::signature::Signature;
use crate::{BaseName, ContentAddress, Sha256, StorePath};

/// What was read so far.
#[derive(Default)]
struct Fields {
    path: Option<(String, BaseName)>,
    url: Option<NarUrl>,
    compression: Option<Compression>,
    file_hash: Option<Sha256>,
    file_size: Option<u64>,
    nar_hash: Option<Sha256>,
    nar_size: Option<u64>,
    references: Option<BTreeSet<BaseName>>,
    deriver: Option<Deriver>,
    system: Option<String>,
    signatures: Vec<Signature>,
    content_address: Option<ContentAddress>,
}

/// A field that is there may still say nothing.
enum Deriver {
    Known(BaseName),
    Unknown,
}

/// What older caches write for a deriver that nobody remembers.
const UNKNOWN_DERIVER: &str = "unknown-deriver";

pub(super) fn parse(document: &[u8]) -> Result<NarInfo, NarInfoError> {
    if document.len() > NARINFO_BYTES_MAX {
        return Err(NarInfoError::TooLarge);
    }
    let mut fields = Fields::default();
    for (index, bytes) in document.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = index + 1;
        let bytes = bytes.strip_suffix(b"\n").ok_or(NarInfoError::NoLineEnd { line })?;
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
        let text = text.ok_or(NarInfoError::NotText { line })?;
        let (name, value) = text.split_once(": ").ok_or(NarInfoError::NoField { line })?;
        fields.read(name, value, line)?;
    }
    fields.finish()
}

impl Fields {
    fn read(&mut self, name: &str, value: &str, line: usize) -> Result<(), NarInfoError> {
        match name {
            "StorePath" => {
                let path = StorePath::parse(value);
                let path = path.map_err(|source| NarInfoError::StorePath { line, field: "StorePath", source })?;
                let directory = store_directory(path.directory(), line)?.to_owned();
                once(&mut self.path, (directory, path.into()), "StorePath", line)
            }
            "URL" => {
                let url = NarUrl::parse(value).map_err(|source| NarInfoError::Url { line, source })?;
                once(&mut self.url, url, "URL", line)
            }
            "Compression" => {
                // Empty stands for what Nix packed with before it said so.
                let known = if value.is_empty() { Some(Compression::Bzip2) } else { Compression::parse(value) };
                let compression = known.ok_or_else(|| NarInfoError::Compression { line, value: value.to_owned() })?;
                once(&mut self.compression, compression, "Compression", line)
            }
            "FileHash" => once(&mut self.file_hash, hash("FileHash", value, line)?, "FileHash", line),
            "FileSize" => once(&mut self.file_size, size("FileSize", value, line)?, "FileSize", line),
            "NarHash" => once(&mut self.nar_hash, hash("NarHash", value, line)?, "NarHash", line),
            "NarSize" => once(&mut self.nar_size, size("NarSize", value, line)?, "NarSize", line),
            "References" => {
                let references = value.split(' ').filter(|reference| !reference.is_empty());
                let references = references.map(|reference| base_name("References", reference, line));
                once(&mut self.references, references.collect::<Result<_, _>>()?, "References", line)
            }
            "Deriver" => {
                let deriver = match value {
                    UNKNOWN_DERIVER => Deriver::Unknown,
                    known => Deriver::Known(base_name("Deriver", known, line)?),
                };
                once(&mut self.deriver, deriver, "Deriver", line)
            }
            "System" => once(&mut self.system, value.to_owned(), "System", line),
            "Sig" => self.sign(value, line),
            "CA" => {
                let address = ContentAddress::parse(value);
                let address = address.map_err(|source| NarInfoError::ContentAddress { line, source })?;
                once(&mut self.content_address, address, "CA", line)
            }
            // Nix passes over fields it does not know, so that new ones can be added. Nothing signs them: they are not kept.
            _ => Ok(()),
        }
    }

    fn sign(&mut self, value: &str, line: usize) -> Result<(), NarInfoError> {
        let signature = Signature::parse(value).map_err(|source| NarInfoError::Signature { line, source })?;
        if self.signatures.len() == NARINFO_SIGNATURES_MAX {
            return Err(NarInfoError::TooManySignatures { line });
        }
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
        Ok(())
    }

    fn finish(self) -> Result<NarInfo, NarInfoError> {
        let missing = |field| NarInfoError::Missing { field };
        let (store_directory, path) = self.path.ok_or(missing("StorePath"))?;
        Ok(NarInfo {
            store_directory,
            path,
            url: self.url.ok_or(missing("URL"))?,
            compression: self.compression.unwrap_or(Compression::Bzip2),
            file_hash: self.file_hash,
            file_size: self.file_size,
            nar_hash: self.nar_hash.ok_or(missing("NarHash"))?,
            nar_size: self.nar_size.filter(|size| *size > 0).ok_or(missing("NarSize"))?,
            references: self.references.unwrap_or_default(),
            deriver: match self.deriver {
                Some(Deriver::Known(deriver)) => Some(deriver),
                Some(Deriver::Unknown) | None => None,
            },
            system: self.system,
            signatures: self.signatures,
            content_address: self.content_address,
        })
    }
}

fn once<T>(slot: &mut Option<T>, value: T, field: &'static str, line: usize) -> Result<(), NarInfoError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(NarInfoError::Duplicate { line, field }),
    }
}

/// A store directory that can stand in a fingerprint, whose separators are `;` and `,`.
pub(super) fn store_directory(directory: &str, line: usize) -> Result<&str, NarInfoError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+/".contains(&byte);
    let parts = directory.strip_prefix('/').unwrap_or_default();
    if directory.bytes().all(plain) && !parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Ok(directory)
    } else {
        Err(NarInfoError::StoreDirectory { line, directory: directory.to_owned() })
    }
}

fn base_name(field: &'static str, value: &str, line: usize) -> Result<BaseName, NarInfoError> {
    BaseName::parse(value).map_err(|source| NarInfoError::StorePath { line, field, source })
}

fn hash(field: &'static str, value: &str, line: usize) -> Result<Sha256, NarInfoError> {
    Sha256::parse(value).map_err(|source| NarInfoError::Hash { line, field, source })
}

/// Digits alone: no sign, no blank.
fn size(field: &'static str, value: &str, line: usize) -> Result<u64, NarInfoError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let size = value.parse().ok().filter(|_| digits);
    size.ok_or_else(|| NarInfoError::Size { line, field, value: value.to_owned() })
}
