//! Signatures of OpenSSH over files (PROTOCOL.sshsig), made and verified with Ed25519; `ssh-keygen -Y verify` reads them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha512};

use crate::kinds::authorized_key;
use crate::secret::SecretBytes;

/// What signatures of manifests are for; one made for something else is none.
pub const NAMESPACE: &str = "aux-secrets";
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const HASH: &str = "sha512";
/// Signatures in one file: that of what is there, and that of what was there before.
const SIGNATURES_MAX: usize = 2;

/// A public key as it stands in `authorized_keys`, without a comment: `ssh-ed25519 AAAA…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signer(String);

/// Text that is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no public key of a signer, such as `ssh-ed25519 AAAA…`")]
pub struct SignerError {
    pub text: String,
}

impl Signer {
    pub fn of(key: &VerifyingKey) -> Self {
        Self(authorized_key(key.as_bytes()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key(&self) -> Option<VerifyingKey> {
        let blob = self.0.strip_prefix("ssh-ed25519 ")?;
        let blob = STANDARD_NO_PAD.decode(blob.trim_end_matches('=')).ok()?;
        let mut reader = Reader(&blob);
        let key = public_key(&mut reader)?;
        reader.0.is_empty().then_some(key)
    }
}

impl TryFrom<String> for Signer {
    type Error = SignerError;

    fn try_from(text: String) -> Result<Self, SignerError> {
        let mut words = text.split_whitespace();
        let bare = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let signer = Self(bare);
        // Written again, so that one key has one text.
        signer.key().map(|key| Self::of(&key)).ok_or_else(|| SignerError { text: text.chars().take(80).collect() })
    }
}

impl From<Signer> for String {
    fn from(signer: Signer) -> Self {
        signer.0
    }
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("is no signature of OpenSSH: {what}")]
    Syntax { what: &'static str },
    #[error("is a signature for `{namespace}`, not for `{NAMESPACE}`")]
    Namespace { namespace: String },
    #[error("was made by {signer}, who is not among the {known} known signers")]
    Stranger { signer: String, known: usize },
    #[error("does not belong to this file: one of the two was changed")]
    Mismatch,
}

/// What is signed: a digest with its purpose.
fn signed(message: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [NAMESPACE.as_bytes(), b"", HASH.as_bytes(), &Sha512::digest(message)] {
        push(&mut bytes, field);
    }
    bytes
}

fn push(into: &mut Vec<u8>, field: &[u8]) {
    into.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend_from_slice(field);
}

/// A signature of the message, as text.
pub fn sign(message: &[u8], key: &SigningKey) -> String {
    let public = crate::kinds::public_blob(key.verifying_key().as_bytes());
    let mut own = Vec::new();
    push(&mut own, b"ssh-ed25519");
    push(&mut own, &key.sign(&signed(message)).to_bytes());
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&1_u32.to_be_bytes());
    for field in [public.reveal(), NAMESPACE.as_bytes(), b"", HASH.as_bytes(), &own] {
        push(&mut blob, field);
    }
    let text = STANDARD.encode(blob);
    let lines = text.as_bytes().chunks(70).map(String::from_utf8_lossy).collect::<Vec<_>>();
    format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
}

/// The first of the signatures in a file.
pub fn first(text: &str) -> Option<&str> {
    let end = text.find(END)? + END.len();
    text.get(..end).filter(|first| first.starts_with(BEGIN))
}

/// Who of `known` signed the message, by one of the signatures in `text`.
pub fn verify(message: &[u8], text: &str, known: &[Signer]) -> Result<Signer, SignatureError> {
    let mut worst = SignatureError::Syntax { what: "it does not begin with BEGIN SSH SIGNATURE" };
    let mut rest = text.trim_start();
    for index in 0..SIGNATURES_MAX {
        let Some(one) = first(rest) else { break };
        match verify_one(message, one, known) {
            Ok(signer) => return Ok(signer),
            // The first signature is the one that should hold, so its fault is told.
            Err(error) if index == 0 => worst = error,
            Err(_) => {}
        }
        rest = rest.get(one.len()..).unwrap_or_default().trim_start();
    }
    Err(worst)
}

fn verify_one(message: &[u8], text: &str, known: &[Signer]) -> Result<Signer, SignatureError> {
    let syntax = |what| SignatureError::Syntax { what };
    let inner = text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END)).ok_or(syntax("no frame"))?;
    let digits: String = inner.split_whitespace().collect();
    let blob = STANDARD.decode(digits).map_err(|_| syntax("not base 64"))?;
    let mut reader = Reader(blob.strip_prefix(MAGIC).ok_or(syntax("no SSHSIG"))?);
    if reader.number() != Some(1) {
        return Err(syntax("not of version 1"));
    }
    let (key, namespace) = (reader.string(), reader.string());
    let (_reserved, hash) = (reader.string(), reader.string());
    let key = key.and_then(|blob| public_key(&mut Reader(blob))).ok_or(syntax("its key is not of Ed25519"))?;
    let namespace = namespace.ok_or(syntax("cut off"))?;
    if namespace != NAMESPACE.as_bytes() {
        return Err(SignatureError::Namespace { namespace: String::from_utf8_lossy(namespace).into_owned() });
    }
    if hash != Some(HASH.as_bytes()) {
        return Err(syntax("its hash is not SHA-512"));
    }
    let mut own = Reader(reader.string().ok_or(syntax("cut off"))?);
    if own.string() != Some(b"ssh-ed25519") || !reader.0.is_empty() {
        return Err(syntax("not of Ed25519"));
    }
    let signature = own.string().and_then(|bytes| Signature::from_slice(bytes).ok()).ok_or(syntax("cut off"))?;
    let signer = Signer::of(&key);
    if !known.contains(&signer) {
        return Err(SignatureError::Stranger { signer: signer.0, known: known.len() });
    }
    key.verify_strict(&signed(message), &signature).map_err(|_| SignatureError::Mismatch)?;
    Ok(signer)
}

fn public_key(reader: &mut Reader<'_>) -> Option<VerifyingKey> {
    let is_ours = reader.string()? == b"ssh-ed25519";
    let key = VerifyingKey::from_bytes(reader.string()?.try_into().ok()?).ok()?;
    is_ours.then_some(key)
}

/// Strings of the SSH protocol, one after another.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// A signing key out of an unencrypted key file of `ssh-keygen -t ed25519`.
pub fn read_key(content: &SecretBytes) -> Option<SigningKey> {
    let text = content.reveal_text()?;
    let inner = text
        .trim()
        .strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?
        .strip_suffix("-----END OPENSSH PRIVATE KEY-----")?;
    let digits = zeroize::Zeroizing::new(inner.split_whitespace().collect::<String>());
    let blob = zeroize::Zeroizing::new(STANDARD.decode(digits.as_bytes()).ok()?);
    let mut reader = Reader(blob.strip_prefix(b"openssh-key-v1\0")?);
    let is_plain = reader.string()? == b"none" && reader.string()? == b"none" && reader.string()?.is_empty();
    if !is_plain || reader.number()? != 1 {
        return None;
    }
    reader.string()?;
    let mut private = Reader(reader.string()?);
    let (_, _, key_type, _) = (private.number()?, private.number()?, private.string()?, private.string()?);
    let (seed, _) = private.string()?.split_first_chunk::<32>()?;
    (key_type == b"ssh-ed25519").then(|| SigningKey::from_bytes(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_signer_alone() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let (signer, stranger) = (Signer::of(&key.verifying_key()), Signer::of(&other.verifying_key()));
        let text = sign(b"message", &key);
        assert_eq!(verify(b"message", &text, &[stranger.clone(), signer.clone()]), Ok(signer.clone()));
        assert_eq!(verify(b"massage", &text, std::slice::from_ref(&signer)), Err(SignatureError::Mismatch));
        assert!(matches!(verify(b"message", &text, &[stranger]), Err(SignatureError::Stranger { known: 1, .. })));
        for wrong in ["", "text", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"] {
            assert!(
                matches!(verify(b"message", wrong, std::slice::from_ref(&signer)), Err(SignatureError::Syntax { .. })),
                "{wrong}"
            );
        }
        // The signature of what was there before may stand behind the one of what is there.
        let both = sign(b"next", &key) + &text;
        for message in [&b"message"[..], b"next"] {
            assert_eq!(verify(message, &both, std::slice::from_ref(&signer)), Ok(signer.clone()));
        }
        assert_eq!(Signer::try_from(format!("{} a comment", signer.as_str())), Ok(signer));
        assert!(Signer::try_from("ssh-rsa AAAA".to_owned()).is_err());
    }
}
