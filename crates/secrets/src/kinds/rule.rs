//! A type with its parameters, checked: what cannot be refused later than when it is declared.

use aux_core::limits::{SECRET_ENTROPY_BITS_MIN, SECRET_LENGTH_MAX};

use super::certificate::{Algorithm, CertificateRule};
use super::hash::HashMethod;
use super::parameters::Parameters;
use super::password::{self, PasswordRule};
use crate::derive::Label;
use crate::gokey::{GokeyKind, LEGACY_SEED, Request};
use crate::secret::SecretBytes;

/// What a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Bytes { length: u32 },
    Hex { length: u32 },
    Base64 { length: u32 },
    Base64Url { length: u32 },
    Uuid,
    Password(PasswordRule),
    Passphrase { words: u32 },
    SshEd25519,
    Wireguard,
    WireguardPsk,
    AgeX25519,
    P256,
    TlsCa(CertificateRule),
    TlsLeaf { rule: CertificateRule, ca: Label },
    Hash { of: Label, method: HashMethod, is_public: bool },
    Gokey(GokeyRule),
    Envelope,
}

/// What gokey is asked, and which envelopes hold what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GokeyRule {
    pub realm: String,
    pub kind: GokeyKind,
    pub master: Label,
    /// The seed's envelope, and that its legacy behaviour is meant.
    pub seed: Option<(Label, bool)>,
}

impl GokeyRule {
    pub(super) fn request<'r>(&'r self, master: &'r SecretBytes, seed: Option<&'r SecretBytes>) -> Request<'r> {
        let is_legacy = self.seed.as_ref().is_some_and(|(_, is_legacy)| *is_legacy);
        Request { master, realm: &self.realm, kind: self.kind, seed, is_legacy }
    }
}

/// A declaration of a type that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("there is no type `{word}`; types are {}", Rule::WORDS.join(", "))]
    Type { word: String },
    #[error("`{word}@{version}` is not known here; this program knows `{word}@1`")]
    Version { word: String, version: String },
    #[error("type {word} takes no `{parameter}`{}", taken(word))]
    Parameter { word: String, parameter: String },
    #[error("type {word} needs `{parameter}`")]
    Missing { word: String, parameter: &'static str },
    #[error("`{parameter}` is {value}; it must be {range}")]
    Range { parameter: &'static str, value: String, range: String },
    #[error(
        "{bits} bits of entropy, fewer than {SECRET_ENTROPY_BITS_MIN} (SECRET_ENTROPY_BITS_MIN); make it longer, or say `weak = true`"
    )]
    Weak { bits: u32 },
    #[error(
        "a seed of gokey before 0.2.0 does not protect what is derived with it (CVE-2025-13353); to get those values once more, to \
         replace them, say `legacySeed = \"{LEGACY_SEED}\"`"
    )]
    LegacySeed,
}

fn taken(word: &str) -> String {
    match parameters_of(word) {
        [] => String::new(),
        taken => format!("; it takes {}", taken.join(", ")),
    }
}

const CERTIFICATE: [&str; 6] = ["algorithm", "common_name", "dns", "ip", "not_before", "days"];

fn parameters_of(word: &str) -> &'static [&'static str] {
    match word {
        "bytes" | "hex" | "base64" | "base64url" => &["length", "weak"],
        "password" => &["length", "alphabet", "min_lower", "min_upper", "min_digit", "min_symbol", "weak"],
        "passphrase" => &["words", "weak"],
        "tls-ca" => &["algorithm", "common_name", "not_before", "days"],
        "tls-leaf" => {
            const { &[CERTIFICATE[0], "ca", CERTIFICATE[1], CERTIFICATE[2], CERTIFICATE[3], CERTIFICATE[4], CERTIFICATE[5]] }
        }
        "bcrypt" => &["of", "cost", "publish"],
        "htpasswd" => &["of", "user", "cost", "publish"],
        "sha512crypt" => &["of", "rounds", "publish"],
        "yescrypt" | "argon2id" => &["of", "publish"],
        "gokey" => &["realm", "kind", "length", "master", "seed", "legacy_seed", "weak"],
        _ => &[],
    }
}

impl Rule {
    /// Every type, without its version.
    pub const WORDS: [&'static str; 21] = [
        "bytes",
        "hex",
        "base64",
        "base64url",
        "uuid",
        "password",
        "passphrase",
        "ssh-ed25519",
        "wireguard",
        "wireguard-psk",
        "age-x25519",
        "p256",
        "tls-ca",
        "tls-leaf",
        "bcrypt",
        "sha512crypt",
        "yescrypt",
        "argon2id",
        "htpasswd",
        "gokey",
        "envelope",
    ];

    /// The rule that a type and its parameters are; the type may bear its version, `password@1`.
    pub fn of(type_word: &str, parameters: &Parameters) -> Result<Self, RuleError> {
        let (word, version) = type_word.split_once('@').unwrap_or((type_word, "1"));
        if !Self::WORDS.contains(&word) {
            return Err(RuleError::Type { word: word.to_owned() });
        }
        if version != "1" {
            return Err(RuleError::Version { word: word.to_owned(), version: version.to_owned() });
        }
        let known = parameters_of(word);
        if let Some(parameter) = parameters.given().into_iter().find(|name| !known.contains(&name.as_str())) {
            return Err(RuleError::Parameter { word: word.to_owned(), parameter });
        }
        let rule = Self::build(word, parameters)?;
        rule.refuse_weak(parameters.weak.unwrap_or(false))?;
        Ok(rule)
    }

    fn build(word: &str, given: &Parameters) -> Result<Self, RuleError> {
        let length = || ranged("length", given.length, 32, 1..=SECRET_LENGTH_MAX);
        Ok(match word {
            "bytes" => Self::Bytes { length: length()? },
            "hex" => Self::Hex { length: length()? },
            "base64" => Self::Base64 { length: length()? },
            "base64url" => Self::Base64Url { length: length()? },
            "uuid" => Self::Uuid,
            "password" => Self::Password(PasswordRule::of(given)?),
            "passphrase" => Self::Passphrase { words: ranged("words", given.words, 6, 1..=64)? },
            "ssh-ed25519" => Self::SshEd25519,
            "wireguard" => Self::Wireguard,
            "wireguard-psk" => Self::WireguardPsk,
            "age-x25519" => Self::AgeX25519,
            "p256" => Self::P256,
            "tls-ca" => Self::TlsCa(CertificateRule::of(word, given, 3_650)?),
            "tls-leaf" => {
                let ca = needed(word, "ca", given.ca.as_ref())?.clone();
                Self::TlsLeaf { rule: CertificateRule::of(word, given, 397)?, ca }
            }
            "gokey" => Self::Gokey(gokey_rule(word, given)?),
            "envelope" => Self::Envelope,
            _ => Self::Hash {
                of: needed(word, "of", given.of.as_ref())?.clone(),
                method: HashMethod::of(word, given)?,
                is_public: given.publish.unwrap_or(false),
            },
        })
    }

    /// The type without its version.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Bytes { .. } => "bytes",
            Self::Hex { .. } => "hex",
            Self::Base64 { .. } => "base64",
            Self::Base64Url { .. } => "base64url",
            Self::Uuid => "uuid",
            Self::Password(_) => "password",
            Self::Passphrase { .. } => "passphrase",
            Self::SshEd25519 => "ssh-ed25519",
            Self::Wireguard => "wireguard",
            Self::WireguardPsk => "wireguard-psk",
            Self::AgeX25519 => "age-x25519",
            Self::P256 => "p256",
            Self::TlsCa(_) => "tls-ca",
            Self::TlsLeaf { .. } => "tls-leaf",
            Self::Hash { method, .. } => method.word(),
            Self::Gokey(_) => "gokey",
            Self::Envelope => "envelope",
        }
    }

    /// The type with its version, as it stands in keys and manifests.
    pub fn id(&self) -> String {
        format!("{}@1", self.word())
    }

    /// The secrets this one is made of.
    pub fn others(&self) -> Vec<&Label> {
        match self {
            Self::Hash { of, .. } => vec![of],
            Self::Gokey(rule) => {
                std::iter::once(&rule.master).chain(rule.seed.as_ref().map(|(seed, _)| seed)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many bits nobody can guess, rounded down; `None` where that does not depend on the rule alone.
    pub fn entropy_bits(&self) -> Option<u32> {
        match self {
            Self::Bytes { length } | Self::Hex { length } | Self::Base64 { length } | Self::Base64Url { length } => {
                Some(length.saturating_mul(8))
            }
            Self::Uuid => Some(122),
            Self::Password(rule) => Some(password::entropy_bits(rule)),
            Self::Passphrase { words } => Some(words * 16),
            Self::Gokey(GokeyRule { kind: GokeyKind::Password { length }, .. }) => {
                Some(crate::gokey::password_entropy_bits(*length))
            }
            Self::Gokey(GokeyRule { kind: GokeyKind::Raw { length }, .. }) => Some(length.saturating_mul(8)),
            Self::Hash { .. } | Self::Envelope => None,
            _ => Some(128),
        }
    }

    fn refuse_weak(&self, is_meant: bool) -> Result<(), RuleError> {
        match self.entropy_bits() {
            Some(bits) if bits < SECRET_ENTROPY_BITS_MIN && !is_meant => Err(RuleError::Weak { bits }),
            _ => Ok(()),
        }
    }

    /// The algorithm of a certificate's key.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::TlsCa(rule) | Self::TlsLeaf { rule, .. } => Some(rule.algorithm),
            _ => None,
        }
    }
}

fn gokey_rule(word: &str, given: &Parameters) -> Result<GokeyRule, RuleError> {
    let kind = given.kind.as_deref().unwrap_or("pass");
    let kind = GokeyKind::of(kind, given.length).map_err(|(parameter, value, range)| RuleError::Range {
        parameter,
        value,
        range,
    })?;
    let is_legacy = match given.legacy_seed.as_deref() {
        None => false,
        Some(LEGACY_SEED) => true,
        Some(value) => {
            let range = format!("\"{LEGACY_SEED}\"");
            return Err(RuleError::Range { parameter: "legacy_seed", value: format!("`{value}`"), range });
        }
    };
    if given.seed.is_some() && !is_legacy {
        return Err(RuleError::LegacySeed);
    }
    let realm = needed(word, "realm", given.realm.as_ref())?.clone();
    let master = needed(word, "master", given.master.as_ref())?.clone();
    Ok(GokeyRule { realm, kind, master, seed: given.seed.clone().map(|seed| (seed, is_legacy)) })
}

pub(super) fn needed<'g, T>(word: &str, parameter: &'static str, given: Option<&'g T>) -> Result<&'g T, RuleError> {
    given.ok_or_else(|| RuleError::Missing { word: word.to_owned(), parameter })
}

pub(super) fn ranged(
    parameter: &'static str,
    given: Option<u32>,
    otherwise: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, RuleError> {
    let value = given.unwrap_or(otherwise);
    if range.contains(&value) {
        return Ok(value);
    }
    let range = format!("{} to {}", range.start(), range.end());
    Err(RuleError::Range { parameter, value: value.to_string(), range })
}
