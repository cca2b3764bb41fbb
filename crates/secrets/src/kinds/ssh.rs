//! Keys of OpenSSH: the format of PROTOCOL.key, with its check number out of the stream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::SigningKey;

use crate::der::pem;
use crate::derive::{Label, Stream};
use crate::secret::SecretBytes;

const KEY_TYPE: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Width of lines, as `ssh-keygen` writes them.
const WIDTH: usize = 70;
/// What the private part is padded to where no cipher is used.
const BLOCK_BYTES: usize = 8;

/// A string of the SSH protocol (RFC 4251, section 5).
pub(crate) fn string(into: &mut SecretBytes, bytes: &[u8]) {
    into.push(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.push(bytes);
}

/// The public key as the protocol has it.
pub(crate) fn public_blob(public: &[u8; 32]) -> SecretBytes {
    let mut blob = SecretBytes::with_capacity(64);
    string(&mut blob, KEY_TYPE);
    string(&mut blob, public);
    blob
}

/// Thirty-two stream bytes are the key, the four behind them the check number; the comment is the secret's name.
pub(super) fn private_key(stream: &mut Stream, name: &Label) -> SecretBytes {
    let key = SigningKey::from_bytes(&stream.array::<32>());
    let check = stream.array::<4>();
    let public = public_blob(key.verifying_key().as_bytes());
    let mut private = SecretBytes::with_capacity(512);
    private.push(check.as_slice());
    private.push(check.as_slice());
    string(&mut private, KEY_TYPE);
    string(&mut private, key.verifying_key().as_bytes());
    string(&mut private, zeroize::Zeroizing::new(key.to_keypair_bytes()).as_slice());
    string(&mut private, name.as_str().as_bytes());
    let padding = (BLOCK_BYTES - private.reveal().len() % BLOCK_BYTES) % BLOCK_BYTES;
    private.push([1, 2, 3, 4, 5, 6, 7].get(..padding).unwrap_or_default());
    let mut whole = SecretBytes::with_capacity(1_024);
    whole.push(MAGIC);
    for word in ["none", "none", ""] {
        string(&mut whole, word.as_bytes());
    }
    whole.push(&1_u32.to_be_bytes());
    string(&mut whole, public.reveal());
    string(&mut whole, private.reveal());
    pem("OPENSSH PRIVATE KEY", whole.reveal(), WIDTH)
}

pub(super) fn public_key(stream: &mut Stream, name: &Label) -> String {
    let key = SigningKey::from_bytes(&stream.array::<32>());
    format!("{} {name}", authorized_key(key.verifying_key().as_bytes()))
}

/// A line of `authorized_keys` without a comment.
pub fn authorized_key(public: &[u8; 32]) -> String {
    let blob = public_blob(public);
    // 51 bytes need no padding, so both alphabets agree.
    format!("ssh-ed25519 {}", STANDARD_NO_PAD.encode(blob.reveal()))
}
