//! X.509 certificates (RFC 5280) that come out the same each time: dates from the declaration, serial from the check value,
//! signatures that need no randomness (RFC 6979, RFC 8032).

use std::net::IpAddr;

use ed25519_dalek::SigningKey;
use jiff::civil::Date;
use p256::ecdsa::signature::Signer as _;
use sha2::{Digest as _, Sha256};

use super::curve::{PEM_WIDTH, p256, p256_pem, p256_public, pkcs8, text_of};
use super::parameters::Parameters;
use super::rule::{RuleError, needed, ranged};
use super::{Issuer, Source};
use crate::der::{
    BOOLEAN_TRUE, GENERALIZED_TIME, OCTET_STRING, SEQUENCE, SET, UTC_TIME, UTF8_STRING, bit_string, element, flags,
    integer, object_identifier, pem,
};
use crate::derive::{Label, Leaf, Stream};
use crate::secret::SecretBytes;

const ED25519: [u32; 4] = [1, 3, 101, 112];
const ECDSA_SHA256: [u32; 7] = [1, 2, 840, 10_045, 4, 3, 2];
const COMMON_NAME: [u32; 4] = [2, 5, 4, 3];
const SERVER_AND_CLIENT: [[u32; 9]; 2] = [[1, 3, 6, 1, 5, 5, 7, 3, 1], [1, 3, 6, 1, 5, 5, 7, 3, 2]];
/// X.520's bound of a common name.
const COMMON_NAME_CHARACTERS_MAX: usize = 64;

/// Which key a certificate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    P256,
    Ed25519,
}

/// What stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    pub algorithm: Algorithm,
    /// Where the machine's name comes, it says `{machine}`.
    pub common_name: Option<String>,
    pub dns: Vec<String>,
    pub ip: Vec<IpAddr>,
    pub not_before: Date,
    pub not_after: Date,
}

impl CertificateRule {
    pub(super) fn of(word: &str, given: &Parameters, days: u32) -> Result<Self, RuleError> {
        let algorithm = match given.algorithm.as_deref().unwrap_or("p256") {
            "p256" => Algorithm::P256,
            "ed25519" => Algorithm::Ed25519,
            other => {
                let range = "p256 or ed25519".to_owned();
                return Err(RuleError::Range { parameter: "algorithm", value: format!("`{other}`"), range });
            }
        };
        let common_name = given.common_name.clone();
        if common_name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > COMMON_NAME_CHARACTERS_MAX)
        {
            let range = format!("1 to {COMMON_NAME_CHARACTERS_MAX} characters");
            let value = format!("`{}`", common_name.unwrap_or_default());
            return Err(RuleError::Range { parameter: "common_name", value, range });
        }
        let is_name = |name: &String| {
            let bare = name.replace("{machine}", "m");
            !bare.is_empty()
                && bare.len() <= 253
                && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | '_'))
        };
        if let Some(wrong) = given.dns.iter().find(|name| !is_name(name)) {
            let range = "a host's name in ASCII".to_owned();
            return Err(RuleError::Range { parameter: "dns", value: format!("`{wrong}`"), range });
        }
        let not_before = *needed(word, "not_before", given.not_before.as_ref())?;
        let days = ranged("days", given.days, days, 1..=36_500)?;
        let not_after = not_before.checked_add(jiff::Span::new().days(i64::from(days)));
        let is_written = |day: Date| (1950..=9999).contains(&day.year());
        match not_after {
            Ok(not_after) if is_written(not_before) && is_written(not_after) => {
                Ok(Self { algorithm, common_name, dns: given.dns.clone(), ip: given.ip.clone(), not_before, not_after })
            }
            _ => {
                let range = "a day from 1950 on whose certificate ends by 9999".to_owned();
                Err(RuleError::Range { parameter: "not_before", value: not_before.to_string(), range })
            }
        }
    }

    fn subject(&self, name: &Label, owner: Option<&Label>) -> SecretBytes {
        let text = self.common_name.as_deref().unwrap_or(name.as_str());
        distinguished_name(&with_owner(text, owner))
    }
}

fn with_owner(text: &str, owner: Option<&Label>) -> String {
    text.replace("{machine}", owner.map_or("", Label::as_str))
}

fn distinguished_name(common_name: &str) -> SecretBytes {
    let text = element(UTF8_STRING, &[common_name.as_bytes()]);
    let attribute = element(SEQUENCE, &[object_identifier(&COMMON_NAME).reveal(), text.reveal()]);
    element(SEQUENCE, &[element(SET, &[attribute.reveal()]).reveal()])
}

enum Key {
    P256(p256::SecretKey),
    Ed25519(SigningKey),
}

impl Key {
    fn of(algorithm: Algorithm, stream: &mut Stream) -> Self {
        match algorithm {
            Algorithm::P256 => Self::P256(p256(stream)),
            Algorithm::Ed25519 => Self::Ed25519(SigningKey::from_bytes(&stream.array::<32>())),
        }
    }

    /// `SubjectPublicKeyInfo`.
    fn public(&self) -> SecretBytes {
        match self {
            Self::P256(key) => p256_public(key),
            Self::Ed25519(key) => {
                element(SEQUENCE, &[ed25519_algorithm().reveal(), bit_string(key.verifying_key().as_bytes()).reveal()])
            }
        }
    }

    fn signature_algorithm(&self) -> SecretBytes {
        match self {
            Self::P256(_) => element(SEQUENCE, &[object_identifier(&ECDSA_SHA256).reveal()]),
            Self::Ed25519(_) => ed25519_algorithm(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(key).sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// RFC 7093, section 2, method 1: the first 160 bits of the key's SHA-256.
    fn identifier(&self) -> Vec<u8> {
        use p256::elliptic_curve::sec1::ToEncodedPoint as _;
        let digest = match self {
            Self::P256(key) => Sha256::digest(key.public_key().to_encoded_point(false).as_bytes()),
            Self::Ed25519(key) => Sha256::digest(key.verifying_key().as_bytes()),
        };
        digest.iter().take(20).copied().collect()
    }
}

fn ed25519_algorithm() -> SecretBytes {
    element(SEQUENCE, &[object_identifier(&ED25519).reveal()])
}

pub(super) fn private_key(algorithm: Algorithm, stream: &mut Stream) -> SecretBytes {
    match algorithm {
        Algorithm::P256 => p256_pem(stream),
        Algorithm::Ed25519 => {
            let seed = element(OCTET_STRING, &[stream.array::<32>().as_slice()]);
            pkcs8(&ed25519_algorithm(), seed.reveal())
        }
    }
}

/// An authority signs itself.
pub(super) fn authority(rule: &CertificateRule, source: &Source<'_>) -> String {
    let key = Key::of(rule.algorithm, &mut source.leaf.stream());
    let subject = rule.subject(source.name, source.owner);
    let basic = element(SEQUENCE, &[&BOOLEAN_TRUE, integer(&[0]).reveal()]);
    let extensions = [
        extension(&[2, 5, 29, 19], true, &basic),
        // keyCertSign and cRLSign.
        extension(&[2, 5, 29, 15], true, &flags(0x06, 1)),
        extension(&[2, 5, 29, 14], false, &element(OCTET_STRING, &[&key.identifier()])),
    ];
    certificate(
        &Body { rule, leaf: source.leaf, subject: &subject, issuer: &subject, extensions: &extensions },
        &key,
        &key,
    )
}

/// A server or client, signed by an authority.
pub(super) fn leaf(rule: &CertificateRule, source: &Source<'_>, issuer: Issuer<'_>) -> String {
    let key = Key::of(rule.algorithm, &mut source.leaf.stream());
    let signer = Key::of(issuer.rule.algorithm, &mut issuer.leaf.stream());
    let subject = rule.subject(source.name, source.owner);
    let by = issuer.rule.subject(issuer.name, None);
    let purposes = SERVER_AND_CLIENT.iter().map(|purpose| object_identifier(purpose));
    let purposes = purposes.collect::<Vec<_>>();
    let purposes: Vec<&[u8]> = purposes.iter().map(SecretBytes::reveal).collect();
    let authority = element(0x80, &[&signer.identifier()]);
    let mut extensions = vec![
        extension(&[2, 5, 29, 19], true, &element(SEQUENCE, &[])),
        // digitalSignature.
        extension(&[2, 5, 29, 15], true, &flags(0x80, 7)),
        extension(&[2, 5, 29, 37], false, &element(SEQUENCE, &purposes)),
        extension(&[2, 5, 29, 14], false, &element(OCTET_STRING, &[&key.identifier()])),
        extension(&[2, 5, 29, 35], false, &element(SEQUENCE, &[authority.reveal()])),
    ];
    if !rule.dns.is_empty() || !rule.ip.is_empty() {
        extensions.push(extension(&[2, 5, 29, 17], false, &alternative_names(rule, source.owner)));
    }
    certificate(
        &Body { rule, leaf: source.leaf, subject: &subject, issuer: &by, extensions: &extensions },
        &key,
        &signer,
    )
}

fn alternative_names(rule: &CertificateRule, owner: Option<&Label>) -> SecretBytes {
    let dns = rule.dns.iter().map(|name| element(0x82, &[with_owner(name, owner).as_bytes()]));
    let ip = rule.ip.iter().map(|address| match address {
        IpAddr::V4(address) => element(0x87, &[&address.octets()]),
        IpAddr::V6(address) => element(0x87, &[&address.octets()]),
    });
    let names: Vec<SecretBytes> = dns.chain(ip).collect();
    let names: Vec<&[u8]> = names.iter().map(SecretBytes::reveal).collect();
    element(SEQUENCE, &names)
}

fn extension(identifier: &[u32], is_critical: bool, value: &SecretBytes) -> SecretBytes {
    let value = element(OCTET_STRING, &[value.reveal()]);
    let critical: &[u8] = if is_critical { &BOOLEAN_TRUE } else { &[] };
    element(SEQUENCE, &[object_identifier(identifier).reveal(), critical, value.reveal()])
}

struct Body<'b> {
    rule: &'b CertificateRule,
    leaf: &'b Leaf,
    subject: &'b SecretBytes,
    issuer: &'b SecretBytes,
    extensions: &'b [SecretBytes],
}

fn certificate(body: &Body<'_>, key: &Key, signer: &Key) -> String {
    let version = element(0xa0, &[integer(&[2]).reveal()]);
    let serial = integer(&body.leaf.check().0);
    let validity = element(SEQUENCE, &[time(body.rule.not_before).reveal(), time(body.rule.not_after).reveal()]);
    let extensions: Vec<&[u8]> = body.extensions.iter().map(SecretBytes::reveal).collect();
    let extensions = element(0xa3, &[element(SEQUENCE, &extensions).reveal()]);
    let algorithm = signer.signature_algorithm();
    let signed = element(
        SEQUENCE,
        &[
            version.reveal(),
            serial.reveal(),
            algorithm.reveal(),
            body.issuer.reveal(),
            validity.reveal(),
            body.subject.reveal(),
            key.public().reveal(),
            extensions.reveal(),
        ],
    );
    let signature = bit_string(&signer.sign(signed.reveal()));
    let whole = element(SEQUENCE, &[signed.reveal(), algorithm.reveal(), signature.reveal()]);
    text_of(&pem("CERTIFICATE", whole.reveal(), PEM_WIDTH))
}

/// Midnight of a day, in two digits of a year up to 2049 and in four from then on (RFC 5280, section 4.1.2.5).
fn time(day: Date) -> SecretBytes {
    let (tag, year) = if day.year() < 2050 {
        (UTC_TIME, format!("{:02}", day.year() % 100))
    } else {
        (GENERALIZED_TIME, format!("{:04}", day.year()))
    };
    element(tag, &[format!("{year}{:02}{:02}000000Z", day.month(), day.day()).as_bytes()])
}
