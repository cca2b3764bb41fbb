//! Why a document is not a narinfo, with the line where it is not.

use aux_core::limits::{NARINFO_BYTES_MAX, NARINFO_SIGNATURES_MAX};

use super::NarUrlError;
use crate::content_address::ContentAddressError;
use crate::hash::HashError;
use crate::signature::KeyError;
use crate::store_path::StorePathError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarInfoError {
    #[error("a narinfo has at most {NARINFO_BYTES_MAX} bytes")]
    TooLarge,
    #[error("line {line}: is not UTF-8, or holds a control character")]
    NotText { line: usize },
    #[error("line {line}: is not `Field: value`")]
    NoField { line: usize },
    #[error("line {line}: does not end in a line feed; the document is cut off")]
    NoLineEnd { line: usize },
    #[error("line {line}: `{field}` stands a second time")]
    Duplicate { line: usize, field: &'static str },
    #[error("`{field}` is missing or empty")]
    Missing { field: &'static str },
    #[error("line {line}: {field}: {source}")]
    StorePath { line: usize, field: &'static str, source: StorePathError },
    #[error("line {line}: the store directory `{directory}` is not a plain absolute path")]
    StoreDirectory { line: usize, directory: String },
    #[error("line {line}: {source}")]
    Url { line: usize, source: NarUrlError },
    #[error("line {line}: `{value}` is no way of packing that Nix knows")]
    Compression { line: usize, value: String },
    #[error("line {line}: {field}: {source}")]
    Hash { line: usize, field: &'static str, source: HashError },
    #[error("line {line}: {field}: `{value}` is not a number of bytes")]
    Size { line: usize, field: &'static str, value: String },
    #[error("line {line}: the signature is none: {source}")]
    Signature { line: usize, source: KeyError },
    #[error("line {line}: there are more than {NARINFO_SIGNATURES_MAX} signatures")]
    TooManySignatures { line: usize },
    #[error("line {line}: CA: {source}")]
    ContentAddress { line: usize, source: ContentAddressError },
}
