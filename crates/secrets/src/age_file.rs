//! Files of age (age-encryption.org/v1): to recipients, and back with identities.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::iter;
use std::sync::Arc;

use age::armor::ArmoredReader;
use age::secrecy::ExposeSecret as _;
use aux_core::limits::{SECRET_AGE_BYTES_MAX, SECRET_RECIPIENTS_MAX};
use zeroize::Zeroizing;

use crate::memory::{Kept, KeptBytes};
use crate::secret::SecretBytes;

/// Whom something is encrypted to, as it is written: `age1…`, `age1tag1…` or `age1tagpq1…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

/// Text that names no recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no recipient of age; `age-keygen -y FILE` prints one, such as age1…, age1tag1… or age1tagpq1…")]
pub struct RecipientError {
    pub text: String,
}

impl Recipient {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is encrypted to it stays closed to a quantum computer.
    pub fn is_post_quantum(&self) -> bool {
        self.0.starts_with("age1tagpq1")
    }

    fn parsed(text: &str) -> Option<Box<dyn age::Recipient + Send>> {
        if let Ok(recipient) = text.parse::<age::x25519::Recipient>() {
            return Some(Box::new(recipient));
        }
        if let Ok(recipient) = text.parse::<age::tag::Recipient>() {
            return Some(Box::new(recipient));
        }
        text.parse::<age::tagpq::Recipient>().ok().map(|recipient| Box::new(recipient) as _)
    }
}

impl TryFrom<String> for Recipient {
    type Error = RecipientError;

    fn try_from(text: String) -> Result<Self, RecipientError> {
        let text = text.trim().to_owned();
        match Self::parsed(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(RecipientError { text: text.chars().take(80).collect() }),
        }
    }
}

impl std::str::FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        text.to_owned().try_into()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// Keys that open files of age.
#[derive(Default)]
pub struct Identities(Vec<One>);

struct One {
    recipient: Recipient,
    key: Key,
}

enum Key {
    Own(age::x25519::Identity),
    Device(Device),
}

/// A key that never leaves its device, such as a TPM's.
#[derive(Clone)]
pub struct Device {
    pub identity: Arc<dyn age::Identity + Send + Sync>,
    /// Why it did not open what is for it the last time.
    pub refusal: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Keys that are kept for long: on a page of their own, and parsed only while something is opened. Those of devices lie there.
pub struct KeptIdentities {
    own: KeptBytes,
    devices: Vec<(Recipient, Device)>,
}

impl KeptIdentities {
    pub fn new(identities: &Identities) -> Self {
        let mut text = SecretBytes::with_capacity(IDENTITY_BYTES * identities.0.len());
        let mut devices = Vec::new();
        for one in &identities.0 {
            match &one.key {
                Key::Own(identity) => {
                    text.push(identity.to_string().expose_secret().as_bytes());
                    text.push(b"\n");
                }
                Key::Device(device) => devices.push((one.recipient.clone(), device.clone())),
            }
        }
        Self { own: KeptBytes::copy(text.reveal()), devices }
    }

    /// To open something with, and to be dropped then.
    pub fn open(&self) -> Identities {
        // What was written above reads as such.
        let own = Identities::read(&SecretBytes::from(self.own.reveal())).unwrap_or_default();
        let device =
            |(recipient, device): &(Recipient, Device)| Identities::of_device(recipient.clone(), device.clone());
        self.devices.iter().map(device).fold(own, Identities::with)
    }

    /// How they are kept from others.
    pub fn kept(&self) -> Kept {
        self.own.kept()
    }
}

/// An identity as text, with the end of its line.
const IDENTITY_BYTES: usize = 75;

/// An identity file that cannot be used. What it holds never stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("line {line}: an identity of a plugin; this program runs no plugins")]
    Plugin { line: usize },
    #[error("is itself encrypted; open it first, with `age -d`, into a file that only you can read")]
    Encrypted,
    #[error("is a key of SSH; identities are those of `age-keygen`, AGE-SECRET-KEY-1…")]
    Ssh,
    #[error("line {line}: is no identity of age (AGE-SECRET-KEY-1…)")]
    Syntax { line: usize },
    #[error("holds no identity of age (AGE-SECRET-KEY-1…)")]
    Empty,
}

impl Identities {
    /// Those of a file of `age-keygen`.
    pub fn read(content: &SecretBytes) -> Result<Self, IdentityError> {
        let text = content.reveal_text().ok_or(IdentityError::Syntax { line: 1 })?;
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE ENCRYPTED FILE") {
            return Err(IdentityError::Encrypted);
        }
        if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY") {
            return Err(IdentityError::Ssh);
        }
        let mut identities = Vec::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            let line_number = index + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("AGE-PLUGIN-") {
                return Err(IdentityError::Plugin { line: line_number });
            }
            let identity: age::x25519::Identity =
                line.parse().map_err(|_| IdentityError::Syntax { line: line_number })?;
            let recipient = Recipient(identity.to_public().to_string());
            identities.push(One { recipient, key: Key::Own(identity) });
        }
        if identities.is_empty() { Err(IdentityError::Empty) } else { Ok(Self(identities)) }
    }

    pub fn of_device(recipient: Recipient, device: Device) -> Self {
        Self(vec![One { recipient, key: Key::Device(device) }])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The recipients they belong to.
    pub fn recipients(&self) -> Vec<Recipient> {
        self.0.iter().map(|one| one.recipient.clone()).collect()
    }

    /// All of both.
    #[must_use]
    pub fn with(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

/// An identity of these bytes, as `age-keygen` writes it; the bytes are drawn by the caller.
pub fn identity_of(bytes: &Zeroizing<[u8; 32]>) -> SecretBytes {
    crate::kinds::age_identity_of(bytes)
}

/// Something that could not be encrypted or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    #[error("nobody is named who could open it")]
    NoRecipient,
    #[error("{count} recipients, more than the {SECRET_RECIPIENTS_MAX} allowed (SECRET_RECIPIENTS_MAX)")]
    Recipients { count: usize },
    #[error("recipients with and without post-quantum keys (age1tagpq1…) cannot share a file; name only one sort")]
    Mixed,
    #[error("{bytes} bytes, more than the {SECRET_AGE_BYTES_MAX} allowed (SECRET_AGE_BYTES_MAX)")]
    Large { bytes: usize },
    #[error("none of the given identities opens it")]
    NoIdentity,
    #[error("the key it is for refuses: {cause}")]
    Refused { cause: String },
    #[error("is no file of age, or a damaged one: {cause}")]
    Damaged { cause: String },
}

/// `plaintext` to all of these, as the bytes of a file.
pub fn encrypt(plaintext: &SecretBytes, recipients: &[Recipient]) -> Result<Vec<u8>, AgeError> {
    if recipients.is_empty() {
        return Err(AgeError::NoRecipient);
    }
    if recipients.len() > SECRET_RECIPIENTS_MAX {
        return Err(AgeError::Recipients { count: recipients.len() });
    }
    if recipients.iter().any(Recipient::is_post_quantum) != recipients.iter().all(Recipient::is_post_quantum) {
        return Err(AgeError::Mixed);
    }
    let parsed: Vec<_> = recipients.iter().filter_map(|recipient| Recipient::parsed(recipient.as_str())).collect();
    let encryptor = age::Encryptor::with_recipients(parsed.iter().map(|recipient| &**recipient as &dyn age::Recipient));
    let encryptor = encryptor.map_err(|error| AgeError::Damaged { cause: error.to_string() })?;
    let failed = |error: std::io::Error| AgeError::Damaged { cause: error.to_string() };
    let mut bytes = Vec::new();
    let mut writer = encryptor.wrap_output(&mut bytes).map_err(failed)?;
    writer.write_all(plaintext.reveal()).and_then(|()| writer.finish().map(drop)).map_err(failed)?;
    Ok(bytes)
}

/// What is in a file, armoured or not.
pub fn decrypt(file: &[u8], identities: &Identities) -> Result<SecretBytes, AgeError> {
    if file.len() > SECRET_AGE_BYTES_MAX {
        return Err(AgeError::Large { bytes: file.len() });
    }
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(file)).map_err(|error| of_age(&error))?;
    let keys = identities.0.iter().map(|one| match &one.key {
        Key::Own(identity) => identity as &dyn age::Identity,
        Key::Device(device) => &*device.identity,
    });
    let mut reader = decryptor.decrypt(keys).map_err(|error| {
        let refusal = identities.0.iter().find_map(|one| match &one.key {
            Key::Own(_) => None,
            Key::Device(device) => (device.refusal)(),
        });
        refusal.map_or_else(|| of_age(&error), |cause| AgeError::Refused { cause })
    })?;
    // A file is at least as long as what is in it, so this holds it all and nothing is copied.
    let mut opened = Vec::with_capacity(file.len());
    let read = reader.read_to_end(&mut opened);
    let opened = SecretBytes::from(opened);
    read.map_err(|error| AgeError::Damaged { cause: error.to_string() })?;
    Ok(opened)
}

fn of_age(error: &age::DecryptError) -> AgeError {
    match error {
        age::DecryptError::NoMatchingKeys => AgeError::NoIdentity,
        // The library's own words go over several lines.
        other => AgeError::Damaged { cause: other.to_string().split_whitespace().collect::<Vec<_>>().join(" ") },
    }
}

/// The recipients of one text, for messages.
pub(crate) fn joined<'r>(recipients: impl IntoIterator<Item = &'r Recipient>) -> String {
    let mut text = String::new();
    for (separator, recipient) in iter::once("").chain(iter::repeat(", ")).zip(recipients) {
        text.push_str(separator);
        text.push_str(recipient.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Identities, Recipient) {
        let identity = age::x25519::Identity::generate();
        let text = SecretBytes::from(format!("# a comment\n{}\n", identity.to_string().expose_secret()));
        let identities = Identities::read(&text).unwrap();
        let recipient = identities.recipients().remove(0);
        (identities, recipient)
    }

    #[test]
    fn each_recipient_opens_it_and_nobody_else() {
        let ((one, to_one), (two, to_two), (three, _)) = (pair(), pair(), pair());
        let file = encrypt(&SecretBytes::from(&b"value"[..]), &[to_one, to_two]).unwrap();
        for identities in [&one, &two] {
            assert_eq!(decrypt(&file, identities).ok().unwrap().reveal(), b"value");
        }
        assert_eq!(decrypt(&file, &three).err(), Some(AgeError::NoIdentity));
        for at in [0, file.len() / 2, file.len() - 1] {
            let mut flipped = file.clone();
            flipped[at] ^= 1;
            assert!(decrypt(&flipped, &one).is_err(), "{at}");
            assert!(decrypt(&file[..at], &one).is_err(), "{at}");
        }
    }

    #[test]
    fn identities_that_were_kept_open_the_same() {
        let ((one, to_one), (two, _)) = (pair(), pair());
        let file = encrypt(&SecretBytes::from(&b"value"[..]), &[to_one]).unwrap();
        let kept = KeptIdentities::new(&two.with(one));
        assert_ne!(kept.kept(), Kept::Plain);
        assert_eq!(decrypt(&file, &kept.open()).ok().unwrap().reveal(), b"value");
        assert!(KeptIdentities::new(&Identities::default()).open().is_empty());
    }

    #[test]
    fn what_is_no_identity_is_told_apart_and_not_shown() {
        let read = |text: &str| Identities::read(&SecretBytes::from(text.to_owned())).err();
        assert_eq!(read(""), Some(IdentityError::Empty));
        assert_eq!(read("# none\n"), Some(IdentityError::Empty));
        assert_eq!(read("\nhunter2"), Some(IdentityError::Syntax { line: 2 }));
        assert_eq!(read("AGE-PLUGIN-TPM-1X"), Some(IdentityError::Plugin { line: 1 }));
        assert_eq!(read("-----BEGIN OPENSSH PRIVATE KEY-----"), Some(IdentityError::Ssh));
        assert_eq!(read("age-encryption.org/v1\n"), Some(IdentityError::Encrypted));
        assert!("age1x".parse::<Recipient>().is_err());
    }
}
