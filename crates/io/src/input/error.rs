//! What can go wrong between a file's name and its bytes. Each variant says which file, and which bound.

use super::Packing;
use std::io;

/// A file, an entry or standard input that could not be read. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("{name}: no such file or folder")]
    Missing { name: String },
    #[error("{name}: cannot be read: {cause}")]
    Read { name: String, cause: io::Error },
    #[error("{name}: is a folder, where a file is needed")]
    Folder { name: String },
    #[error("{name}: damaged or truncated {packing} data: {cause}")]
    Unpack { name: String, packing: Packing, cause: io::Error },
    #[error("{name}: unpacks to more than {limit_bytes} bytes (UNPACKED_BYTES_MAX)")]
    UnpackedBytes { name: String, limit_bytes: u64 },
    #[error("{name}: unpacks to more than {limit} times its size (UNPACK_RATIO_MAX), so it is taken for a zip bomb")]
    UnpackRatio { name: String, limit: u64 },
    #[error("{name}: larger than the {limit_bytes} bytes allowed here")]
    TooLarge { name: String, limit_bytes: u64 },
    #[error("{name}: damaged or truncated archive: {cause}")]
    Archive { name: String, cause: io::Error },
    #[error("{name}: the entry's path leaves the archive")]
    Escape { name: String },
    #[error("{name}: more than {limit} entries (ENTRIES_MAX); the rest was not read")]
    Entries { name: String, limit: usize },
    #[error("{name}: folders nested deeper than {limit} (FOLDER_DEPTH_MAX) were not read")]
    Depth { name: String, limit: usize },
}

impl InputError {
    /// The file or entry it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Missing { name }
            | Self::Read { name, .. }
            | Self::Folder { name }
            | Self::Unpack { name, .. }
            | Self::UnpackedBytes { name, .. }
            | Self::UnpackRatio { name, .. }
            | Self::TooLarge { name, .. }
            | Self::Archive { name, .. }
            | Self::Escape { name }
            | Self::Entries { name, .. }
            | Self::Depth { name, .. } => name,
        }
    }

    /// What went wrong, without the name in front.
    pub fn message(&self) -> String {
        let whole = self.to_string();
        whole.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&whole).to_owned()
    }

    /// Finds the error that [`super::Input`] wrapped to pass through [`io::Read`], or wraps a plain one.
    pub fn from_io(name: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(cause) => Self::of_file(name, cause),
        }
    }

    pub(super) fn of_file(name: &str, cause: io::Error) -> Self {
        let name = name.to_owned();
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Missing { name },
            io::ErrorKind::IsADirectory => Self::Folder { name },
            _ => Self::Read { name, cause },
        }
    }
}
