//! Typed secrets: what a leaf's stream becomes, and the public half of it. Each type is frozen under its id, `name@1`.

mod bytes;
mod certificate;
mod curve;
mod hash;
mod parameters;
mod password;
mod rule;
mod ssh;
mod words;

use std::collections::BTreeMap;

pub use certificate::{Algorithm, CertificateRule};
pub(crate) use curve::{age_identity, age_identity_of, age_recipient};
pub use hash::HashMethod;
pub use parameters::Parameters;
pub use password::PasswordRule;
pub use rule::{GokeyRule, Rule, RuleError};
pub use ssh::authorized_key;
pub(crate) use ssh::public_blob;

use crate::derive::{Label, Leaf};
use crate::gokey::{self, GokeyError};
use crate::secret::SecretBytes;

/// What a value is made of.
pub struct Source<'s> {
    pub name: &'s Label,
    pub leaf: &'s Leaf,
    /// The machine or group whose secret it is; it stands where a certificate says `{machine}`.
    pub owner: Option<&'s Label>,
    /// The values of the secrets that the rule names.
    pub others: &'s BTreeMap<Label, SecretBytes>,
    /// Who signs a certificate.
    pub issuer: Option<Issuer<'s>>,
}

/// An authority whose leaf is known.
#[derive(Clone, Copy)]
pub struct Issuer<'s> {
    pub leaf: &'s Leaf,
    pub rule: &'s CertificateRule,
    pub name: &'s Label,
}

/// A value that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    #[error("`{name}`: needs the value of `{other}`, which is not known here")]
    Other { name: Label, other: Label },
    #[error("`{name}`: is an envelope, whose value is not derived")]
    Envelope { name: Label },
    #[error("`{name}`: no string met the rules in {tries} tries; ask for fewer classes or a longer password")]
    Password { name: Label, tries: u32 },
    #[error("`{name}`: bcrypt reads 72 bytes of a password, and this one has {bytes}; make it shorter")]
    Bcrypt { name: Label, bytes: usize },
    #[error("`{name}`: the password's hash cannot be computed: {cause}")]
    Hash { name: Label, cause: String },
    #[error("`{name}`: the authority `{ca}` that signs it is not known here")]
    Issuer { name: Label, ca: Label },
    #[error("`{name}`: {cause}")]
    Gokey { name: Label, cause: GokeyError },
    #[error("`{name}`: no pair of machines was named; wireguard-psk has a value for each")]
    Pair { name: Label },
}

/// The secret itself, as it stands in its file.
pub fn value(rule: &Rule, source: &Source<'_>) -> Result<SecretBytes, ValueError> {
    let name = source.name;
    let mut stream = source.leaf.stream();
    let value = match rule {
        Rule::Bytes { length } => bytes::raw(&mut stream, *length),
        Rule::Hex { length } => bytes::hexadecimal(&mut stream, *length),
        Rule::Base64 { length } => bytes::base64(&mut stream, *length),
        Rule::Base64Url { length } => bytes::base64_url(&mut stream, *length),
        Rule::Uuid => bytes::uuid(&mut stream),
        Rule::Password(rule) => password::password(rule, &mut stream)
            .ok_or_else(|| ValueError::Password { name: name.clone(), tries: password::TRIES_MAX })?,
        Rule::Passphrase { words } => words::passphrase(&mut stream, *words),
        Rule::SshEd25519 => ssh::private_key(&mut stream, name),
        Rule::Wireguard => curve::wireguard(&mut stream),
        Rule::WireguardPsk => bytes::base64(&mut stream, 32),
        Rule::AgeX25519 => age_identity(&mut stream),
        Rule::P256 => curve::p256_pem(&mut stream),
        Rule::TlsCa(rule) | Rule::TlsLeaf { rule, .. } => certificate::private_key(rule.algorithm, &mut stream),
        Rule::Hash { of, method, .. } => {
            let password = other(source, of)?;
            hash::hash(method, password, &mut stream, name)?
        }
        Rule::Gokey(rule) => {
            let master = other(source, &rule.master)?;
            let seed = rule.seed.as_ref().map(|(seed, _)| other(source, seed)).transpose()?;
            let request = rule.request(master, seed);
            gokey::derive(&request).map_err(|cause| ValueError::Gokey { name: name.clone(), cause })?
        }
        Rule::Envelope => return Err(ValueError::Envelope { name: name.clone() }),
    };
    Ok(value)
}

/// The half that everybody may see, where a type has one.
pub fn public(rule: &Rule, source: &Source<'_>) -> Result<Option<String>, ValueError> {
    let mut stream = source.leaf.stream();
    Ok(match rule {
        Rule::SshEd25519 => Some(ssh::public_key(&mut stream, source.name)),
        Rule::Wireguard => Some(curve::wireguard_public(&mut stream)),
        Rule::AgeX25519 => Some(age_recipient(&mut stream)),
        Rule::P256 => Some(curve::p256_public_pem(&mut stream)),
        Rule::TlsCa(rule) => Some(certificate::authority(rule, source)),
        Rule::TlsLeaf { rule, ca } => {
            let missing = || ValueError::Issuer { name: source.name.clone(), ca: ca.clone() };
            let issuer = source.issuer.ok_or_else(missing)?;
            Some(certificate::leaf(rule, source, issuer))
        }
        Rule::Hash { is_public: true, .. } => {
            let line = value(rule, source)?;
            line.reveal_text().map(str::to_owned)
        }
        _ => None,
    })
}

fn other<'s>(source: &Source<'s>, name: &Label) -> Result<&'s SecretBytes, ValueError> {
    let missing = || ValueError::Other { name: source.name.clone(), other: name.clone() };
    source.others.get(name).ok_or_else(missing)
}
