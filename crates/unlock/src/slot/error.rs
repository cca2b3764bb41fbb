//! What is no file of slots, and no document of the TPM beside it.

use aux_core::limits::{
    PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASSES_MAX, SLOT_DEPTH_MAX, SLOT_FILE_BYTES_MAX, SLOT_NAME_BYTES_MAX,
    SLOT_TEXT_BYTES_MAX, SLOTS_MAX, TPM_POLICIES_MAX,
};

/// Why a document is not taken. The path is the caller's to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotFileError {
    #[error("{bytes} bytes, more than the {SLOT_FILE_BYTES_MAX} allowed (SLOT_FILE_BYTES_MAX)")]
    TooLong { bytes: usize },
    #[error("it is cut short: it ends after {bytes} bytes in the middle")]
    Truncated { bytes: usize },
    #[error("it is no such document: {cause}")]
    Syntax { cause: String },
    #[error("its schema is {found}, and {expected} is what this program reads")]
    Schema { found: String, expected: &'static str },
    #[error(
        "`{name}` is no name: small letters, digits, `-`, `.` and `_`, at most {SLOT_NAME_BYTES_MAX} bytes (SLOT_NAME_BYTES_MAX)"
    )]
    Name { name: String },
    #[error("two slots are called {path}")]
    Repeated { path: String },
    #[error("it has no slot")]
    Empty,
    #[error("more than {SLOTS_MAX} slots (SLOTS_MAX)")]
    TooMany,
    #[error("slot {path} lies more than {SLOT_DEPTH_MAX} thresholds deep (SLOT_DEPTH_MAX)")]
    TooDeep { path: String },
    #[error("slot {path}: {threshold} of {slots}; the threshold must be from 1 to the number of slots")]
    Threshold { path: String, threshold: u8, slots: usize },
    #[error("{path}: {what} is not {expected}")]
    Field { path: String, what: &'static str, expected: &'static str },
    #[error("{path}: {what} has more than {SLOT_TEXT_BYTES_MAX} bytes (SLOT_TEXT_BYTES_MAX)")]
    FieldTooLong { path: String, what: &'static str },
    #[error(
        "slot {path}: hashing with {memory_kib} KiB and {passes} passes, more than {PASSPHRASE_MEMORY_KIB_MAX} KiB \
         and {PASSPHRASE_PASSES_MAX} (PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASSES_MAX), or none"
    )]
    Cost { path: String, memory_kib: u32, passes: u32 },
    #[error("more than {TPM_POLICIES_MAX} policies (TPM_POLICIES_MAX)")]
    TooManyPolicies,
}
