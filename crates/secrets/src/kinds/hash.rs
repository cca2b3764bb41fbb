//! Hashes of derived passwords, in the forms that login and web servers read. The salt is a leaf of its own.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::ValueError;
use super::parameters::Parameters;
use super::rule::{RuleError, needed, ranged};
use crate::derive::{Label, Stream};
use crate::secret::SecretBytes;

/// The digits of `crypt(3)`, least significant first.
const CRYPT_DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ARGON2_MEMORY_KIB: u32 = 65_536;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;
const SHA512_ROUNDS: u32 = 5_000;
/// bcrypt forgets what a password has beyond.
const BCRYPT_BYTES_MAX: usize = 72;

/// How a password is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashMethod {
    Bcrypt { cost: u32 },
    Htpasswd { user: String, cost: u32 },
    Sha512Crypt { rounds: u32 },
    Yescrypt,
    Argon2id,
}

impl HashMethod {
    pub(super) fn of(word: &str, given: &Parameters) -> Result<Self, RuleError> {
        let cost = || ranged("cost", given.cost, 10, 4..=16);
        Ok(match word {
            "bcrypt" => Self::Bcrypt { cost: cost()? },
            "htpasswd" => {
                let user = needed(word, "user", given.user.as_ref())?;
                if user.is_empty() || user.len() > 255 || user.chars().any(|c| c == ':' || c.is_control()) {
                    let range = "1 to 255 bytes without a colon".to_owned();
                    return Err(RuleError::Range { parameter: "user", value: format!("`{user}`"), range });
                }
                Self::Htpasswd { user: user.clone(), cost: cost()? }
            }
            "sha512crypt" => {
                Self::Sha512Crypt { rounds: ranged("rounds", given.rounds, SHA512_ROUNDS, 1_000..=9_999_999)? }
            }
            "argon2id" => Self::Argon2id,
            _ => Self::Yescrypt,
        })
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Htpasswd { .. } => "htpasswd",
            Self::Sha512Crypt { .. } => "sha512crypt",
            Self::Yescrypt => "yescrypt",
            Self::Argon2id => "argon2id",
        }
    }
}

/// The line for a password.
pub(super) fn hash(
    method: &HashMethod,
    password: &SecretBytes,
    stream: &mut Stream,
    name: &Label,
) -> Result<SecretBytes, ValueError> {
    let password = password.reveal();
    let failed = |cause: String| ValueError::Hash { name: name.clone(), cause };
    let text = match method {
        HashMethod::Bcrypt { cost } => bcrypt_line(password, *cost, bcrypt::Version::TwoB, stream, name)?,
        HashMethod::Htpasswd { user, cost } => {
            format!("{user}:{}", bcrypt_line(password, *cost, bcrypt::Version::TwoY, stream, name)?)
        }
        HashMethod::Sha512Crypt { rounds } => sha512_crypt(password, *rounds, stream).map_err(failed)?,
        HashMethod::Yescrypt => {
            let salt = stream.array::<16>();
            let mut hash = [0; 32];
            // `j9T`: 4096 blocks of 4 KiB, one lane, the flavour that needs its memory written and read.
            let parameters = yescrypt::Params::new(yescrypt::Mode::default(), 4_096, 32, 1)
                .map_err(|error| failed(error.to_string()))?;
            yescrypt::yescrypt(password, salt.as_slice(), &parameters, &mut hash)
                .map_err(|error| failed(error.to_string()))?;
            format!("$y$j9T${}${}", crypt_text(salt.as_slice()), crypt_text(&hash))
        }
        HashMethod::Argon2id => {
            let salt = stream.array::<16>();
            let mut hash = [0; 32];
            let parameters = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, Some(hash.len()));
            let argon = Argon2::new(
                Algorithm::Argon2id,
                Version::V0x13,
                parameters.map_err(|error| failed(error.to_string()))?,
            );
            argon
                .hash_password_into(password, salt.as_slice(), &mut hash)
                .map_err(|error| failed(error.to_string()))?;
            let (salt, hash) = (STANDARD_NO_PAD.encode(salt.as_slice()), STANDARD_NO_PAD.encode(hash));
            format!("$argon2id$v=19$m={ARGON2_MEMORY_KIB},t={ARGON2_PASSES},p={ARGON2_LANES}${salt}${hash}")
        }
    };
    Ok(SecretBytes::from(text))
}

fn bcrypt_line(
    password: &[u8],
    cost: u32,
    version: bcrypt::Version,
    stream: &mut Stream,
    name: &Label,
) -> Result<String, ValueError> {
    if password.len() > BCRYPT_BYTES_MAX {
        return Err(ValueError::Bcrypt { name: name.clone(), bytes: password.len() });
    }
    let parts = bcrypt::hash_with_salt(password, cost, *stream.array::<16>());
    let parts = parts.map_err(|error| ValueError::Hash { name: name.clone(), cause: error.to_string() })?;
    Ok(parts.format_for_version(version))
}

/// `$6$`, as its specification by Ulrich Drepper has it; sixteen characters of salt.
fn sha512_crypt(password: &[u8], rounds: u32, stream: &mut Stream) -> Result<String, String> {
    let salt: Vec<u8> = (0..16).map(|_| crypt_digit(u32::from(stream.byte()))).collect();
    let parameters = sha_crypt::Params::new(rounds).map_err(|error| error.to_string())?;
    let hash = sha_crypt::sha512_crypt(password, &salt, parameters);
    let at = |index: usize| u32::from(hash.get(index).copied().unwrap_or_default());
    let mut text = String::new();
    let (mut first, mut second, mut third) = (0, 21, 42);
    for _ in 0..21 {
        push_digits(&mut text, at(first) << 16 | at(second) << 8 | at(third), 4);
        (first, second, third) = (second + 1, third + 1, first + 1);
    }
    push_digits(&mut text, at(63), 2);
    let salt = String::from_utf8_lossy(&salt);
    let said = if rounds == SHA512_ROUNDS { String::new() } else { format!("rounds={rounds}$") };
    Ok(format!("$6${said}{salt}${text}"))
}

fn crypt_digit(value: u32) -> u8 {
    usize::try_from(value & 63).ok().and_then(|value| CRYPT_DIGITS.get(value)).copied().unwrap_or_default()
}

fn push_digits(text: &mut String, mut value: u32, digits: u32) {
    for _ in 0..digits {
        text.push(char::from(crypt_digit(value)));
        value >>= 6;
    }
}

/// yescrypt's own base 64: three bytes, least significant first, are four digits.
fn crypt_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let value = three.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        push_digits(&mut text, value, u32::try_from(three.len()).unwrap_or_default() + 1);
    }
    text
}
