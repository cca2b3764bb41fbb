//! What gokey (Cloudflare) derives from a master password and a realm, byte for byte, so that its users can move here.
//!
//! Written from its behaviour and checked against outputs of the real tool. Keys and passwords come from AES-256-CTR under
//! PBKDF2 of the master password; the realm is the salt.

mod keys;
mod password;
mod rsa;
mod stream;

use crate::secret::SecretBytes;

pub(crate) use password::entropy_bits as password_entropy_bits;
use stream::Stream;

/// What switches on the behaviour that CVE-2025-13353 is about.
pub const LEGACY_SEED: &str = "CVE-2025-13353";

/// The kinds of gokey, with their lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GokeyKind {
    Password { length: u32 },
    Raw { length: u32 },
    Ec256,
    Ec384,
    Ec521,
    X25519,
    Ed25519,
    Rsa2048,
    Rsa4096,
}

/// A parameter, what it is, and what it must be.
type Wrong = (&'static str, String, String);

impl GokeyKind {
    /// The kind a word names, as gokey's option `-t` has it.
    pub fn of(word: &str, length: Option<u32>) -> Result<Self, Wrong> {
        let kind = match word {
            "pass" => Self::Password { length: length.unwrap_or(10) },
            "raw" => Self::Raw { length: length.unwrap_or(32) },
            "ec256" => Self::Ec256,
            "ec384" => Self::Ec384,
            "ec521" => Self::Ec521,
            "x25519" => Self::X25519,
            "ed25519" => Self::Ed25519,
            "rsa2048" => Self::Rsa2048,
            "rsa4096" => Self::Rsa4096,
            _ => {
                let kinds = "pass, raw, ec256, ec384, ec521, x25519, ed25519, rsa2048 or rsa4096".to_owned();
                return Err(("kind", format!("`{word}`"), kinds));
            }
        };
        let range = match kind {
            Self::Password { .. } => password::LENGTH_MIN..=password::LENGTH_MAX,
            Self::Raw { .. } => 1..=aux_core::limits::SECRET_LENGTH_MAX,
            _ if length.is_some() => {
                return Err(("length", "given".to_owned(), format!("left out: a key of kind {word} has none")));
            }
            _ => return Ok(kind),
        };
        let length = match kind {
            Self::Password { length } | Self::Raw { length } => length,
            _ => *range.start(),
        };
        if range.contains(&length) {
            return Ok(kind);
        }
        Err(("length", length.to_string(), format!("{} to {}", range.start(), range.end())))
    }

    /// What gokey appends to the realm, so that kinds do not share bytes.
    fn suffix(self) -> &'static str {
        match self {
            Self::Password { .. } => "-pass",
            Self::Raw { .. } => "-raw",
            Self::Ec256 => "-key(EC256)",
            Self::Ec384 => "-key(EC384)",
            Self::Ec521 => "-key(EC521)",
            Self::X25519 => "-key(X25519)",
            Self::Ed25519 => "-key(ED25519)",
            Self::Rsa2048 => "-key(RSA2048)",
            Self::Rsa4096 => "-key(RSA4096)",
        }
    }
}

/// What gokey is asked.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    pub master: &'r SecretBytes,
    pub realm: &'r str,
    pub kind: GokeyKind,
    /// The content of a seed file.
    pub seed: Option<&'r SecretBytes>,
    /// The behaviour before 0.2.0, which left most of the seed unused, is what is asked for.
    pub is_legacy: bool,
}

/// Why nothing is derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GokeyError {
    #[error("a seed is used only as gokey before 0.2.0 did, with `legacySeed = \"{LEGACY_SEED}\"`")]
    Seed,
    #[error("the seed has {bytes} bytes; a seed file of gokey has {expected}")]
    SeedLength { bytes: usize, expected: usize },
    #[error("the seed does not open with this master password")]
    SeedPassword,
    #[error("no password of {length} characters was found in {tries} tries")]
    Password { length: u32, tries: u32 },
    #[error("no prime was found in {tries} tries")]
    Prime { tries: u32 },
}

/// What gokey prints.
pub fn derive(request: &Request<'_>) -> Result<SecretBytes, GokeyError> {
    if request.seed.is_some() && !request.is_legacy {
        return Err(GokeyError::Seed);
    }
    let realm = format!("{}{}", request.realm, request.kind.suffix());
    let mut stream = match request.seed {
        None => Stream::of_password(request.master, &realm),
        Some(seed) => Stream::of_legacy_seed(request.master, &realm, seed)?,
    };
    match request.kind {
        GokeyKind::Password { length } => password::password(&mut stream, length),
        GokeyKind::Raw { length } => Ok(stream.take(usize::try_from(length).unwrap_or(usize::MAX))),
        GokeyKind::Ec256 | GokeyKind::Ec384 | GokeyKind::Ec521 => Ok(keys::elliptic(&mut stream, request.kind)),
        GokeyKind::X25519 | GokeyKind::Ed25519 => Ok(keys::edwards(&mut stream, request.kind)),
        GokeyKind::Rsa2048 => rsa::key(&mut stream, 2_048),
        GokeyKind::Rsa4096 => rsa::key(&mut stream, 4_096),
    }
}
