//! What `aux image build` wrote, read back and checked byte for byte before any of it goes out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use aux_core::limits::{IMAGE_CATALOG_BYTES_MAX, IMAGE_LAYER_BYTES_MAX};
use aux_io::input;
use pkgsrc::digest::Digest;
use serde_json::Value;

use crate::catalog::is_uuid;

/// A built image in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub folder: PathBuf,
    pub name: String,
    pub version: String,
    pub uuid: String,
    pub origin: Option<String>,
    /// The channel it was built for.
    pub channels: Vec<String>,
    /// imgapi's manifest, as it was written.
    pub manifest: Value,
    /// The file set, with its SHA-1 as imgapi wants it.
    pub file: PathBuf,
    pub file_bytes: u64,
    pub file_sha1: String,
    /// The OCI manifest's bytes, and the blobs it names, the configuration first.
    pub oci_manifest: Vec<u8>,
    pub oci_digest: String,
    pub blobs: Vec<Blob>,
    /// Every file of the folder by its path in it, with its SHA-256.
    pub files: BTreeMap<String, String>,
}

/// A part of an OCI image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:…`
    pub digest: String,
    pub bytes: u64,
    pub path: PathBuf,
}

/// Why a folder is no image that could be published. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum BuiltError {
    #[error("{}: no such folder", path.display())]
    Missing { path: PathBuf },
    #[error("{}: holds no image: {reason}", path.display())]
    Foreign { path: PathBuf, reason: String },
    #[error("{}: was changed since it was built: {reason}", path.display())]
    Changed { path: PathBuf, reason: String },
    #[error("{}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
}

/// `sha256:` of OCI.
pub(super) const SHA256: &str = "sha256:";

impl Built {
    /// Reads an image's folder, and hashes all of it.
    pub fn read(folder: &Path) -> Result<Self, BuiltError> {
        if !folder.is_dir() {
            return Err(BuiltError::Missing { path: folder.to_owned() });
        }
        let stem = stem(folder)?;
        let manifest_file = folder.join(format!("{stem}.manifest.json"));
        let manifest = document(&manifest_file)?;
        let text = |key: &str| manifest.get(key).and_then(Value::as_str).map(str::to_owned);
        let foreign = |reason: &str| BuiltError::Foreign { path: manifest_file.clone(), reason: reason.to_owned() };
        let required = |key: &str| text(key).ok_or_else(|| foreign(&format!("its manifest has no {key}")));
        let uuid = required("uuid")?;
        let origin = text("origin");
        if !is_uuid(&uuid) || origin.as_ref().is_some_and(|origin| !is_uuid(origin)) {
            return Err(foreign("what its manifest calls a UUID is none"));
        }
        let described = manifest.pointer("/files/0");
        let file_sha1 = described.and_then(|file| file.get("sha1")).and_then(Value::as_str).unwrap_or_default();
        let file_bytes = described.and_then(|file| file.get("size")).and_then(Value::as_u64).unwrap_or_default();
        let file = folder.join(format!("{stem}.tar.gz"));
        let found = (hash(&file, Digest::SHA1)?, size(&file)?);
        if found != (file_sha1.to_owned(), file_bytes) {
            let reason = format!(
                "it has {} bytes and SHA-1 {}, and its manifest says {file_bytes} and {file_sha1}",
                found.1, found.0
            );
            return Err(BuiltError::Changed { path: file, reason });
        }
        let channels = manifest.get("channels").and_then(Value::as_array).into_iter().flatten();
        let channels = channels.filter_map(|channel| channel.as_str().map(str::to_owned)).collect();
        let (oci_manifest, oci_digest, blobs) = oci(&folder.join("oci"))?;
        Ok(Self {
            name: required("name")?,
            version: required("version")?,
            file_sha1: file_sha1.to_owned(),
            files: hashes(folder)?,
            folder: folder.to_owned(),
            uuid,
            origin,
            channels,
            manifest,
            file,
            file_bytes,
            oci_manifest,
            oci_digest,
            blobs,
        })
    }

    /// `NAME-VERSION`
    pub fn full_name(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            folder: PathBuf::new(),
            name: "origin".to_owned(),
            version: "1".to_owned(),
            uuid: "c2c31b00-1d60-11e9-9a77-ff9f06554b0f".to_owned(),
            origin: None,
            channels: Vec::new(),
            manifest: Value::Null,
            file: PathBuf::new(),
            file_bytes: 0,
            file_sha1: String::new(),
            oci_manifest: Vec::new(),
            oci_digest: String::new(),
            blobs: Vec::new(),
            files: BTreeMap::new(),
        }
    }
}

/// What the files of an image begin with: the one that has a manifest.
fn stem(folder: &Path) -> Result<String, BuiltError> {
    let failed = |cause| BuiltError::Read { path: folder.to_owned(), cause };
    let mut stems = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        stems.extend(name.to_str().and_then(|name| name.strip_suffix(".manifest.json")).map(str::to_owned));
    }
    match stems.as_slice() {
        [stem] => Ok(stem.clone()),
        [] => Err(BuiltError::Foreign { path: folder.to_owned(), reason: "it has no .manifest.json".to_owned() }),
        _ => Err(BuiltError::Foreign { path: folder.to_owned(), reason: "it has several manifests".to_owned() }),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, BuiltError> {
    let foreign = |error: input::InputError| BuiltError::Foreign { path: path.to_owned(), reason: error.message() };
    input::read(path, IMAGE_CATALOG_BYTES_MAX).map_err(foreign)
}

fn document(path: &Path) -> Result<Value, BuiltError> {
    let foreign = |error: serde_json::Error| BuiltError::Foreign { path: path.to_owned(), reason: error.to_string() };
    serde_json::from_slice(&bytes(path)?).map_err(foreign)
}

/// The manifest of an OCI layout and the blobs it names, each checked by its digest.
fn oci(layout: &Path) -> Result<(Vec<u8>, String, Vec<Blob>), BuiltError> {
    let index_file = layout.join("index.json");
    let index = document(&index_file)?;
    let foreign = |reason: &str| BuiltError::Foreign { path: index_file.clone(), reason: reason.to_owned() };
    let manifest = index.pointer("/manifests/0").ok_or_else(|| foreign("it names no image"))?;
    let manifest = blob(layout, manifest)?;
    let text = bytes(&manifest.path)?;
    let parsed: Value = serde_json::from_slice(&text).map_err(|error| foreign(&error.to_string()))?;
    let layers = parsed.get("layers").and_then(Value::as_array).ok_or_else(|| foreign("its image has no layers"))?;
    let config = parsed.get("config").ok_or_else(|| foreign("its image has no configuration"))?;
    let blobs = std::iter::once(config).chain(layers).map(|one| blob(layout, one)).collect::<Result<_, _>>()?;
    Ok((text, manifest.digest, blobs))
}

fn blob(layout: &Path, descriptor: &Value) -> Result<Blob, BuiltError> {
    let digest = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
    let hex =
        digest.strip_prefix(SHA256).filter(|hex| hex.len() == 64 && hex.bytes().all(|one| one.is_ascii_hexdigit()));
    let Some(hex) = hex else {
        let reason = format!("`{digest}` is no SHA-256 digest");
        return Err(BuiltError::Foreign { path: layout.to_owned(), reason });
    };
    let path = layout.join("blobs/sha256").join(hex);
    let wanted = descriptor.get("size").and_then(Value::as_u64).unwrap_or_default();
    let (found, bytes) = (hash(&path, Digest::SHA256)?, size(&path)?);
    if found != hex || bytes != wanted {
        return Err(BuiltError::Changed { path, reason: format!("its SHA-256 is {found}") });
    }
    Ok(Blob { digest: digest.to_owned(), bytes, path })
}

/// The SHA-256 of every file below a folder.
pub(super) fn hashes(folder: &Path) -> Result<BTreeMap<String, String>, BuiltError> {
    let mut found = BTreeMap::new();
    let mut queue = vec![String::new()];
    while let Some(below) = queue.pop() {
        let path = folder.join(&below);
        let failed = |cause| BuiltError::Read { path: path.clone(), cause };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(BuiltError::Foreign { path: entry.path(), reason: "its name is not UTF-8".to_owned() });
            };
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                queue.push(name);
            } else if kind.is_file() {
                found.insert(name, hash(&entry.path(), Digest::SHA256)?);
            } else {
                return Err(BuiltError::Foreign { path: entry.path(), reason: "it is no regular file".to_owned() });
            }
        }
    }
    Ok(found)
}

pub(super) fn hash(path: &Path, digest: Digest) -> Result<String, BuiltError> {
    let failed = |cause| BuiltError::Read { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > IMAGE_LAYER_BYTES_MAX {
        let reason = format!("it has more than {IMAGE_LAYER_BYTES_MAX} bytes (IMAGE_LAYER_BYTES_MAX)");
        return Err(BuiltError::Foreign { path: path.to_owned(), reason });
    }
    digest.hash_file(&mut file).map_err(|error| failed(io::Error::other(error.to_string())))
}

fn size(path: &Path) -> Result<u64, BuiltError> {
    let failed = |cause| BuiltError::Read { path: path.to_owned(), cause };
    fs::metadata(path).map(|metadata| metadata.len()).map_err(failed)
}
