//! Signing keys: made once, kept in files of their own that only their owner may read, never shown.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use tough::key_source::KeySource;
use tough::schema::RoleType;
use tough::schema::key::Key;
use tough::sign::{Sign, parse_keypair};

use super::RepositoryError;

const TAG: &str = "PRIVATE KEY";
/// Larger files are no keys.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// A key file that was read: its public half is known, the private one stays inside.
pub(super) struct KeyFile {
    pub path: PathBuf,
    pub public: Key,
    /// PKCS #8 (RFC 5958).
    private: Vec<u8>,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyFile({})", self.path.display())
    }
}

impl KeyFile {
    /// Makes an Ed25519 key and writes it to a file that did not exist.
    pub(super) fn make(path: PathBuf) -> Result<Self, RepositoryError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| RepositoryError::Random { path: path.clone() })?;
        let text = pem::encode(&pem::Pem::new(TAG, document.as_ref()));
        aux_io::file::create_private(&path, text.as_bytes())?;
        Self::parse(path, text.as_bytes())
    }

    /// Reads a key in PEM or DER: Ed25519, ECDSA P-256 or RSA.
    pub(super) fn read(path: &Path) -> Result<Self, RepositoryError> {
        let bytes = aux_io::input::read(path, KEY_FILE_BYTES_MAX).map_err(RepositoryError::Input)?;
        Self::parse(path.to_path_buf(), &bytes)
    }

    fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, RepositoryError> {
        // The signing library takes RSA as PEM and the others as DER only.
        let unwrapped = pem::parse(bytes).map(pem::Pem::into_contents).unwrap_or_default();
        for private in [unwrapped, bytes.to_vec()] {
            if let Ok(pair) = parse_keypair(&private) {
                let public = pair.tuf_key();
                return Ok(Self { path, public, private });
            }
        }
        Err(RepositoryError::Key { path })
    }

    pub(super) fn source(&self) -> Box<dyn KeySource> {
        Box::new(Held(self.private.clone()))
    }
}

/// A private key in memory.
struct Held(Vec<u8>);

impl std::fmt::Debug for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Held")
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync + 'static>;

#[async_trait]
impl KeySource for Held {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, Failed> {
        Ok(Box::new(parse_keypair(&self.0)?))
    }

    async fn write(&self, _value: &str, _key_id: &str) -> Result<(), Failed> {
        Err("keys are written once, when they are made".into())
    }
}

/// The roles in the order in which people speak of them.
pub(super) const ROLES: [RoleType; 4] = [RoleType::Root, RoleType::Targets, RoleType::Snapshot, RoleType::Timestamp];

/// Every key file of a role in a folder, by name; a missing folder has none.
pub(super) fn of_role(folder: &Path, role: RoleType) -> Result<Vec<KeyFile>, RepositoryError> {
    let prefix = format!("{role}-");
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&prefix) && path.extension().is_some_and(|extension| extension == "pem" || extension == "der")
    });
    paths.sort();
    paths.iter().map(|path| KeyFile::read(path)).collect()
}

/// A name for the next key of a role that no file has.
pub(super) fn next_path(folder: &Path, role: RoleType) -> PathBuf {
    let free = |number: &u32| {
        let name = format!("{role}-{number}.pem");
        !folder.join(&name).exists() && !folder.join(super::REVOKED_FOLDER).join(&name).exists()
    };
    let number = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
    folder.join(format!("{role}-{number}.pem"))
}
