//! Hashes as Nix writes them: an algorithm and a digest, in nix32, hexadecimal or base64.

use std::fmt;

use aux_core::hexadecimal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::nix32;

/// The hash functions Nix knows (Nix manual, "Cryptographic hash").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Blake3,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// A digest of some algorithm. It is printed as `sha256:` and nix32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

/// A SHA-256 digest. It is printed as `sha256:` and nix32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

/// Why a text is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("`{0}` does not begin with the name of an algorithm and `:` or `-`")]
    Algorithm(String),
    #[error("`{0}` is not a digest of that algorithm in nix32, hexadecimal or base64")]
    Digest(String),
    #[error("`{0}` is not SHA-256")]
    NotSha256(String),
}

impl Algorithm {
    pub const ALL: [Self; 5] = [Self::Blake3, Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    pub fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Of a digest, in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Hash {
    /// A digest of the algorithm's length.
    pub fn new(algorithm: Algorithm, digest: &[u8]) -> Option<Self> {
        (digest.len() == algorithm.length()).then(|| Self { algorithm, digest: digest.to_vec() })
    }

    /// Reads `sha256:…` in any of the three encodings, and `sha256-…` in base64.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let wrong = || HashError::Algorithm(text.to_owned());
        let split = text.find([':', '-']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at(split);
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or_else(wrong)?;
        let digest = rest.get(1..).unwrap_or_default();
        let decoded = if rest.starts_with('-') { base64(digest, algorithm) } else { decode(digest, algorithm) };
        decoded.map(|digest| Self { algorithm, digest }).ok_or_else(|| HashError::Digest(text.to_owned()))
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// `sha256:` and lower-case hexadecimal, as it goes into store paths.
    pub fn hexadecimal(&self) -> String {
        format!("{}:{}", self.algorithm.name(), hexadecimal(&self.digest))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.name(), nix32::encode(&self.digest))
    }
}

impl Sha256 {
    /// The hash of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads `sha256:…` in any of the three encodings, and `sha256-…` in base64.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let hash = Hash::parse(text)?;
        match (hash.algorithm, hash.digest.try_into()) {
            (Algorithm::Sha256, Ok(digest)) => Ok(Self(digest)),
            _ => Err(HashError::NotSha256(text.to_owned())),
        }
    }

    /// The digest alone, in nix32.
    pub fn nix32(&self) -> String {
        nix32::encode(&self.0)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.nix32())
    }
}

impl From<Sha256> for Hash {
    fn from(hash: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, digest: hash.0.to_vec() }
    }
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Clone)]
pub struct Sha256Hasher(digest::Context);

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Sha256Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Sha256 {
        let mut bytes = [0; 32];
        // The digest of SHA-256 has 32 bytes; `zip` spares a panic that cannot be.
        for (to, from) in bytes.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        Sha256(bytes)
    }
}

/// The three encodings have different lengths, for each algorithm.
fn decode(text: &str, algorithm: Algorithm) -> Option<Vec<u8>> {
    let length = algorithm.length();
    if text.len() == length * 2 {
        let pairs = text.as_bytes().chunks_exact(2);
        return pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect();
    }
    if text.len() != nix32::length(length) {
        return base64(text, algorithm);
    }
    match algorithm {
        Algorithm::Md5 => nix32::decode::<16>(text).map(Vec::from),
        Algorithm::Sha1 => nix32::decode::<20>(text).map(Vec::from),
        Algorithm::Sha256 | Algorithm::Blake3 => nix32::decode::<32>(text).map(Vec::from),
        Algorithm::Sha512 => nix32::decode::<64>(text).map(Vec::from),
    }
}

fn base64(text: &str, algorithm: Algorithm) -> Option<Vec<u8>> {
    BASE64.decode(text).ok().filter(|digest| digest.len() == algorithm.length())
}

/// Nix reads both cases.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIX32: &str = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";

    #[test]
    fn a_hash_is_read_in_every_encoding() {
        let empty = Sha256::of(b"");
        assert_eq!(empty.to_string(), NIX32);
        for text in [
            NIX32,
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert_eq!(Sha256::parse(text), Ok(empty), "{text}");
        }
        assert_eq!(Hash::from(empty).to_string(), NIX32);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        assert!(matches!(Hash::parse("sha3:00"), Err(HashError::Algorithm(_))));
        assert!(matches!(Hash::parse("0mdqa9w1"), Err(HashError::Algorithm(_))));
        assert!(matches!(Hash::parse("sha256:"), Err(HashError::Digest(_))));
        assert!(matches!(Hash::parse(&NIX32.replace('0', "e")), Err(HashError::Digest(_))));
        assert!(matches!(Hash::parse(&NIX32.replace(':', "-")), Err(HashError::Digest(_))));
        let sha1 = format!("sha1:{}", "0".repeat(40));
        assert_eq!(Sha256::parse(&sha1), Err(HashError::NotSha256(sha1)));
    }
}
