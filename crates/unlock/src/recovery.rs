//! Recovery keys: 32 random bytes that a person prints and puts away.

use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::memory::{MemoryError, SecretBytes};
use crate::random::{NoRandomness, Randomness};
use crate::shamir::{SECRET_BYTES, Secret};

const PREFIX: &str = "aux-recovery-";

/// A recovery key. It has neither `Debug` nor `Display` nor `Clone`.
pub struct RecoveryKey(SecretBytes);

/// What is no recovery key. The text itself is left out: it may be one with a letter wrong.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("not a recovery key; one begins with AUX-RECOVERY-1 and has a checksum at its end")]
    Malformed,
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl RecoveryKey {
    pub(crate) fn generate(random: &Randomness) -> Result<Self, RecoveryError> {
        let mut bytes = random.bytes::<SECRET_BYTES>()?;
        Ok(Self(SecretBytes::take(bytes.as_mut())?))
    }

    /// Reads what was printed, whatever blanks came in between.
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        let joined: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(&joined);
        let checked = checked.map_err(|_| RecoveryError::Malformed)?;
        let mut bytes: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
        let is_ours = checked.hrp().to_string().eq_ignore_ascii_case(PREFIX);
        if !is_ours || bytes.len() != SECRET_BYTES {
            return Err(RecoveryError::Malformed);
        }
        Ok(Self(SecretBytes::take(&mut bytes)?))
    }

    /// As it is printed: `AUX-RECOVERY-1…`, with a checksum that finds any four wrong letters (BIP 173).
    pub fn text(&self) -> Result<Zeroizing<String>, RecoveryError> {
        let prefix = Hrp::parse(PREFIX).map_err(|_| RecoveryError::Malformed)?;
        let text = bech32::encode_upper::<Bech32>(prefix, self.0.expose()).map_err(|_| RecoveryError::Malformed)?;
        Ok(Zeroizing::new(text))
    }

    pub(crate) fn secret(&self) -> Secret {
        let mut secret = Secret::default();
        secret.copy_from_slice(self.0.expose());
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_key_reads_back_and_a_wrong_letter_does_not() {
        let key = RecoveryKey(SecretBytes::take(&mut [7; 32]).unwrap());
        let text = key.text().unwrap();
        assert!(text.starts_with("AUX-RECOVERY-1"), "{}", *text);
        let (first, second) = text.split_at(20);
        let spaced = format!(" {first}\n{}\n", second.to_owned());
        assert_eq!(*RecoveryKey::parse(&spaced).unwrap().secret(), [7; 32]);
        assert_eq!(*RecoveryKey::parse(&text.to_lowercase()).unwrap().secret(), [7; 32]);
        for place in 14..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[place] = if wrong[place] == b'Q' { b'P' } else { b'Q' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(matches!(RecoveryKey::parse(&wrong), Err(RecoveryError::Malformed)));
        }
        assert!(RecoveryKey::parse("").is_err());
    }
}
