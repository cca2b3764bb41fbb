//! What a TPM may refuse, in words.

use aux_io::tpm::TpmChannelError;

use super::wire::Short;
use crate::random::NoRandomness;

/// A TPM that does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    #[error(transparent)]
    Channel(#[from] TpmChannelError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the TPM refused {command} with code {code:#05x}{}", meaning(*code))]
    Refused { command: &'static str, code: u32 },
    #[error("the TPM's answer to {command} cannot be read")]
    Answer { command: &'static str },
    #[error("the TPM's answer to {command} was changed on its way")]
    Forged { command: &'static str },
    #[error("a key of the TPM is no point of P-256")]
    Point,
    #[error("the TPM has no bank of SHA-256 for register {register}")]
    NoBank { register: u8 },
    #[error("the TPM computes policy {theirs}, where this program computes {ours}")]
    Policy { ours: String, theirs: String },
}

impl TpmError {
    /// Whether the TPM gave this code, whatever handle, session or parameter it is about (part 2, section 6.6).
    pub(crate) fn is_code(&self, base: u32) -> bool {
        matches!(self, Self::Refused { code, .. } if base_of(*code) == base)
    }
}

/// An object that this TPM did not make.
pub(super) const INTEGRITY: u32 = 0x09F;
/// A signature that is not the key's.
pub(super) const SIGNATURE: u32 = 0x09B;
/// A handle that nothing stands behind.
pub(super) const HANDLE: u32 = 0x08B;
/// An index that is already there.
pub(super) const NV_DEFINED: u32 = 0x14C;

/// Codes of format one carry in their upper bits what they are about.
fn base_of(code: u32) -> u32 {
    if code & 0x080 == 0 { code } else { code & 0x0BF }
}

fn meaning(code: u32) -> &'static str {
    match base_of(code) {
        0x126 => " (the policy's condition does not hold)",
        0x09D => " (the policy is not satisfied)",
        HANDLE => " (there is nothing at this handle)",
        0x084 => " (a value is not accepted)",
        SIGNATURE => " (the signature is not the key's)",
        INTEGRITY => " (the object is not of this TPM, or was changed)",
        0x0A2 => " (the authorization is wrong)",
        0x921 => " (the TPM is locked out after wrong attempts)",
        0x902 | 0x903 => " (its memory is full; another program left objects behind)",
        NV_DEFINED => " (the index is already defined)",
        0x100 => " (it has not been started)",
        _ => "",
    }
}

/// Names the command whose answer was too short.
pub(super) fn unread(command: &'static str) -> impl Fn(Short) -> TpmError {
    move |_| TpmError::Answer { command }
}
