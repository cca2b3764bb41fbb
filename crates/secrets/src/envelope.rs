//! Envelopes: values nobody can choose, encrypted, with a header inside that says which secret they are
//! (docs/formats/envelope.md).

use aux_core::limits::SECRET_VALUE_BYTES_MAX;
use aux_core::{hexadecimal, unhexadecimal};
use sha2::{Digest as _, Sha256};

use crate::age_file::{self, AgeError, Recipient};
use crate::declaration::Holder;
use crate::derive::{FleetId, Label};
use crate::secret::SecretBytes;

const FIRST_LINE: &str = "aux-envelope 1";
/// The header of the longest names stays below.
const HEADER_BYTES_MAX: usize = 1_024;

/// Which value it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub fleet: FleetId,
    pub scope: Holder,
    pub name: Label,
    pub version: u32,
    /// SHA-256 of who may have it and how; see [`crate::manifest::envelope_policy`].
    pub policy: [u8; 32],
}

/// An envelope that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("{0}")]
    Age(#[from] AgeError),
    #[error("is no envelope of this program (its first line is not `{FIRST_LINE}`)")]
    Foreign,
    #[error("its header cannot be read: {what}")]
    Header { what: &'static str },
    #[error("was moved or renamed: it is {is}, and should be {should}")]
    Moved { is: String, should: String },
    #[error("is of another fleet, {fleet}")]
    Fleet { fleet: FleetId },
    #[error("is of version {is}, and should be {should}: an old file was put back, or the new one is missing")]
    Replayed { is: u32, should: u32 },
    #[error(
        "was encrypted for other recipients or another owner than the manifest says; `aux secret rekey` writes it again"
    )]
    Policy,
    #[error("its value is not the one that was signed (the check value differs)")]
    Check,
    #[error("{bytes} bytes, more than the {SECRET_VALUE_BYTES_MAX} allowed (SECRET_VALUE_BYTES_MAX)")]
    Large { bytes: usize },
}

/// SHA-256 of a value.
pub(crate) fn digest(value: &SecretBytes) -> [u8; 32] {
    Sha256::digest(value.reveal()).into()
}

impl Header {
    fn to_text(&self) -> String {
        format!(
            "{FIRST_LINE}\nfleet: {}\nscope: {}\nname: {}\nversion: {}\npolicy: {}\n\n",
            self.fleet,
            self.scope,
            self.name,
            self.version,
            hexadecimal(&self.policy)
        )
    }
}

/// The file of a value.
pub fn seal(header: &Header, value: &SecretBytes, recipients: &[Recipient]) -> Result<Vec<u8>, EnvelopeError> {
    if value.reveal().len() > SECRET_VALUE_BYTES_MAX {
        return Err(EnvelopeError::Large { bytes: value.reveal().len() });
    }
    let text = header.to_text();
    let mut plaintext = SecretBytes::with_capacity(text.len() + value.reveal().len());
    plaintext.push(text.as_bytes());
    plaintext.push(value.reveal());
    Ok(age_file::encrypt(&plaintext, recipients)?)
}

/// The value in a decrypted file, if it is the one that was meant.
pub fn open(plaintext: &SecretBytes, meant: &Header) -> Result<SecretBytes, EnvelopeError> {
    let (header, value) = parse(plaintext.reveal())?;
    if header.fleet != meant.fleet {
        return Err(EnvelopeError::Fleet { fleet: header.fleet });
    }
    let place = |header: &Header| format!("`{}` of {}", header.name, header.scope);
    if (&header.scope, &header.name) != (&meant.scope, &meant.name) {
        return Err(EnvelopeError::Moved { is: place(&header), should: place(meant) });
    }
    if header.version != meant.version {
        return Err(EnvelopeError::Replayed { is: header.version, should: meant.version });
    }
    if header.policy != meant.policy {
        return Err(EnvelopeError::Policy);
    }
    Ok(SecretBytes::from(value))
}

/// The header and the value behind it.
pub fn parse(plaintext: &[u8]) -> Result<(Header, &[u8]), EnvelopeError> {
    let start = plaintext.get(..plaintext.len().min(HEADER_BYTES_MAX)).unwrap_or_default();
    if !start.starts_with(FIRST_LINE.as_bytes()) || start.get(FIRST_LINE.len()) != Some(&b'\n') {
        return Err(EnvelopeError::Foreign);
    }
    let wrong = |what| EnvelopeError::Header { what };
    let end = start.windows(2).position(|two| two == b"\n\n").ok_or(wrong("it has no end"))?;
    let text = start.get(..end).and_then(|head| std::str::from_utf8(head).ok()).ok_or(wrong("it is not UTF-8"))?;
    let mut lines = text.split('\n').skip(1);
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
    let fleet = field("fleet").and_then(|text| text.parse().ok()).ok_or(wrong("fleet"))?;
    let scope = field("scope").and_then(|text| text.parse().ok()).ok_or(wrong("scope"))?;
    let name = field("name").and_then(|text| text.parse().ok()).ok_or(wrong("name"))?;
    let digits = field("version").filter(|text| !text.starts_with(['+', '0']));
    let version = digits.and_then(|text| text.parse().ok()).ok_or(wrong("version"))?;
    let policy =
        field("policy").and_then(unhexadecimal).and_then(|bytes| bytes.try_into().ok()).ok_or(wrong("policy"))?;
    if lines.next().is_some() {
        return Err(wrong("it has a line too many"));
    }
    Ok((Header { fleet, scope, name, version, policy }, plaintext.get(end + 2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let scope = Holder::Group("web".parse().unwrap());
        Header { fleet: FleetId([1; 16]), scope, name: "api-key".parse().unwrap(), version: 3, policy: [9; 32] }
    }

    #[test]
    fn a_file_that_is_not_the_one_meant_is_refused() {
        let text = header().to_text() + "value\n\nof two lines";
        let plaintext = SecretBytes::from(text);
        assert_eq!(open(&plaintext, &header()).ok().unwrap().reveal(), b"value\n\nof two lines");
        let meant = |change: fn(&mut Header)| {
            let mut header = header();
            change(&mut header);
            open(&plaintext, &header).err().unwrap()
        };
        assert!(matches!(meant(|header| header.fleet.0[0] = 2), EnvelopeError::Fleet { .. }));
        assert!(matches!(meant(|header| header.name = "other".parse().unwrap()), EnvelopeError::Moved { .. }));
        assert!(matches!(meant(|header| header.scope = Holder::Admin), EnvelopeError::Moved { .. }));
        assert_eq!(meant(|header| header.version = 4), EnvelopeError::Replayed { is: 3, should: 4 });
        assert_eq!(meant(|header| header.policy[0] = 1), EnvelopeError::Policy);
    }

    #[test]
    fn headers_are_read_strictly() {
        let text = header().to_text();
        assert_eq!(parse(text.as_bytes()).unwrap(), (header(), &b""[..]));
        for wrong in ["", "aux-envelope 2\n", "aux-envelope 1", "age"] {
            assert_eq!(parse(wrong.as_bytes()), Err(EnvelopeError::Foreign), "{wrong}");
        }
        for (from, to) in [
            ("fleet: 01", "fleet: 0"),
            ("version: 3", "version: 03"),
            ("name: a", "name: ../a"),
            ("\n\n", "\nx: y\n\n"),
        ] {
            assert!(matches!(parse(text.replace(from, to).as_bytes()), Err(EnvelopeError::Header { .. })), "{to}");
        }
    }
}
