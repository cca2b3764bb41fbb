//! A manifest is read after its signature was verified, and refused where this program could misread it.

use aux_core::limits::SECRET_MANIFEST_BYTES_MAX;
use serde::Deserialize;

use super::{Manifest, SCHEMA};
use crate::sshsig::{self, SignatureError, Signer};

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("{bytes} bytes, more than the {SECRET_MANIFEST_BYTES_MAX} allowed (SECRET_MANIFEST_BYTES_MAX)")]
    Large { bytes: usize },
    #[error("its signature {0}")]
    Signature(#[from] SignatureError),
    #[error("is of the format {schema}; this program reads {SCHEMA}")]
    Schema { schema: String },
    #[error("is no manifest: {cause}")]
    Syntax { cause: String },
}

#[derive(Deserialize)]
struct Header {
    schema: String,
}

impl Manifest {
    /// A manifest that one of these signed, and who that was.
    pub fn verified(bytes: &[u8], signature: &str, known: &[Signer]) -> Result<(Self, Signer), ManifestError> {
        if bytes.len() > SECRET_MANIFEST_BYTES_MAX {
            return Err(ManifestError::Large { bytes: bytes.len() });
        }
        let signer = sshsig::verify(bytes, signature, known)?;
        Ok((Self::unverified(bytes)?, signer))
    }

    /// A manifest nobody vouches for: to look at, and for nothing else.
    pub fn unverified(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > SECRET_MANIFEST_BYTES_MAX {
            return Err(ManifestError::Large { bytes: bytes.len() });
        }
        let syntax = |error: serde_json::Error| ManifestError::Syntax { cause: error.to_string() };
        match serde_json::from_slice(bytes) {
            Ok(manifest) => {
                let manifest: Self = manifest;
                if manifest.schema == SCHEMA {
                    Ok(manifest)
                } else {
                    Err(ManifestError::Schema { schema: manifest.schema })
                }
            }
            Err(error) => match serde_json::from_slice::<Header>(bytes) {
                // A newer format fails on its new fields first, and its name says more.
                Ok(Header { schema }) if schema != SCHEMA => Err(ManifestError::Schema { schema }),
                _ => Err(syntax(error)),
            },
        }
    }
}
