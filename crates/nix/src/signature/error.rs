//! Why a key or a signature is none, or does not convince.

use aux_core::limits::KEY_NAME_BYTES_MAX;

/// Why a text is no key or no signature. What a secret key's text holds never stands in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there is no `:` between the name of the key and its bytes")]
    NoColon,
    #[error(
        "the name of a key has 1 to {KEY_NAME_BYTES_MAX} visible characters of ASCII without `:`, such as `cache.example.org-1`"
    )]
    Name,
    #[error("{what} is not {length} bytes of base64")]
    Bytes { what: &'static str, length: usize },
    #[error("the public half of the secret key `{name}` does not belong to its other half")]
    Halves { name: String },
}

/// Why no signature convinces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is not signed")]
    Unsigned,
    #[error("it is signed by {}, none of which is trusted", signers.join(", "))]
    Untrusted { signers: Vec<String> },
    #[error("its signature by the trusted key {key} is of something else")]
    Wrong { key: String },
}
