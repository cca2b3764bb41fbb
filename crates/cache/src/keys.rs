//! The server's own signing keys: one, or several while one takes the place of another.

use std::path::{Path, PathBuf};

use aux_io::file;
use aux_nix::NarInfo;
use aux_nix::signature::{KeyName, SecretKey, Signature};
use zeroize::Zeroizing;

use crate::cache::{OpenError, Surroundings};

/// The file in the data folder.
pub(crate) const OWN_FILE: &str = "signing-key";
/// A file with keys, bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Keys at once; each is one more signature in every narinfo.
const KEYS_MAX: usize = 4;

/// Keys in the order of their file. Each signs everything.
pub(crate) struct Keys(Vec<SecretKey>);

impl Keys {
    /// Those of the file that was named; else of the folder's own, which is made with one key where there is none.
    pub(crate) fn open(data: &Path, surroundings: &Surroundings) -> Result<Self, OpenError> {
        let own = data.join(OWN_FILE);
        let Some(named) = &surroundings.signing_keys else {
            return if own.exists() { Self::read_own(&own) } else { Self::make(&own, surroundings) };
        };
        let keys = Self::read_named(named)?;
        // It stays as it is, since whoever leaves the option away is to have the keys of before.
        if own.exists() && Self::read_own(&own).is_ok_and(|own| own.public() != keys.public()) {
            let (own, named) = (own.display(), named.display());
            tracing::warn!("{own} holds other keys and is not used: {named} is what everything is signed with");
        }
        Ok(keys)
    }

    /// The same for somebody who only looks: nothing is made.
    pub(crate) fn read(data: &Path, surroundings: &Surroundings) -> Result<Self, OpenError> {
        surroundings.signing_keys.as_deref().map_or_else(|| Self::read_own(&data.join(OWN_FILE)), Self::read_named)
    }

    /// A file in the data folder, which is closed to others as a whole.
    fn read_own(path: &Path) -> Result<Self, OpenError> {
        let unread = |cause: String| OpenError::Secret { path: path.to_path_buf(), cause };
        let bytes = Zeroizing::new(aux_io::input::read(path, FILE_BYTES_MAX).map_err(|error| unread(error.message()))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| unread("it is no text".to_owned()))?;
        Self::parse(text, path)
    }

    fn read_named(path: &Path) -> Result<Self, OpenError> {
        Self::parse(&aux_io::private::text(path, FILE_BYTES_MAX)?, path)
    }

    /// Reads a key a line, as `nix-store --generate-binary-cache-key` writes it.
    fn parse(text: &str, path: &Path) -> Result<Self, OpenError> {
        let unread = |cause: String| OpenError::Secret { path: path.to_path_buf(), cause };
        let mut keys: Vec<SecretKey> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let key = SecretKey::parse(line).map_err(|cause| OpenError::Key { path: PathBuf::from(path), cause })?;
            if keys.iter().any(|other| other.public().name == key.public().name) {
                return Err(unread(format!("two keys are called {}", key.public().name)));
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err(unread("it holds no key".to_owned())),
            1..=KEYS_MAX => Ok(Self(keys)),
            count => Err(unread(format!("it holds {count} keys, and at most {KEYS_MAX} may sign at once"))),
        }
    }

    fn make(path: &Path, surroundings: &Surroundings) -> Result<Self, OpenError> {
        let wrong = |cause| OpenError::Key { path: path.to_path_buf(), cause };
        let seed = Zeroizing::new((surroundings.random)().ok_or(OpenError::Random)?);
        let name = (surroundings.random)().ok_or(OpenError::Random)?;
        // Keys of two servers should differ by name too, or Nix takes one for a forgery of the other.
        let name = format!("aux-{}-1", aux_core::hexadecimal(name.get(..4).unwrap_or_default()));
        let key = SecretKey::new(KeyName::parse(&name).map_err(wrong)?, seed).map_err(wrong)?;
        let mut text = key.reveal();
        text.push('\n');
        file::create_private(path, text.as_bytes())?;
        Ok(Self(vec![key]))
    }

    /// As `trusted-public-keys` has them.
    pub(crate) fn public(&self) -> String {
        let keys: Vec<String> = self.0.iter().map(|key| key.public().to_string()).collect();
        keys.join(" ")
    }

    /// Every key's signature, one a line.
    pub(crate) fn sign(&self, info: &NarInfo) -> String {
        let fingerprint = info.fingerprint();
        let signatures: Vec<String> = self.0.iter().map(|key| key.sign(fingerprint.as_bytes()).to_string()).collect();
        signatures.join("\n")
    }

    /// Whether a signature is in the name of one of these keys.
    pub(crate) fn own(&self, signature: &Signature) -> bool {
        self.0.iter().any(|key| key.public().name == signature.key)
    }
}
