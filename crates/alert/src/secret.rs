//! A secret out of a file: it has no `Debug` and no `Display`, and its file must be closed to strangers.

use std::path::{Path, PathBuf};

use aux_core::limits::SECRET_FILE_BYTES_MAX;
use aux_io::input::{self, InputError};

/// A password, key or URL that must not be seen.
#[derive(Clone)]
pub struct Secret(String);

/// Why a secret cannot be used. What the file holds never stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret cannot be read: {0}")]
    Input(#[from] InputError),
    #[error("{}: every user can read this secret; chmod 600 or 640 it", path.display())]
    Open { path: PathBuf },
    #[error("{}: holds no text", path.display())]
    Empty { path: PathBuf },
    #[error("{}: is not one line of UTF-8 text", path.display())]
    Syntax { path: PathBuf },
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The one line of a file, without the line feed at its end.
    pub fn of_file(path: &Path) -> Result<Self, SecretError> {
        let bytes = input::read(path, SECRET_FILE_BYTES_MAX)?;
        let path = path.to_path_buf();
        #[cfg(unix)]
        if std::fs::metadata(&path)
            .is_ok_and(|metadata| metadata.is_file() && std::os::unix::fs::MetadataExt::mode(&metadata) & 0o004 != 0)
        {
            return Err(SecretError::Open { path });
        }
        let Ok(text) = String::from_utf8(bytes) else { return Err(SecretError::Syntax { path }) };
        let line = text.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return Err(SecretError::Empty { path });
        }
        if line.chars().any(char::is_control) {
            return Err(SecretError::Syntax { path });
        }
        Ok(Self(line.to_owned()))
    }

    /// The secret itself, for the wire alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_one_line_of_a_closed_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let write = |bytes: &[u8], mode| {
            aux_io::file::replace(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Secret::of_file(&path)
        };
        assert_eq!(write(b"hunter2 \n", 0o600).ok().unwrap().reveal(), "hunter2 ");
        assert!(matches!(write(b"hunter2", 0o644), Err(SecretError::Open { .. })));
        for wrong in [&b"hunter2\nhunter3\n"[..], b"\xff", b"a\0b"] {
            let error = write(wrong, 0o640).err().unwrap();
            assert!(matches!(&error, SecretError::Syntax { .. }) && !error.to_string().contains("hunter"), "{error}");
        }
        assert!(matches!(write(b"\n", 0o600), Err(SecretError::Empty { .. })));
        assert!(matches!(Secret::of_file(&folder.path().join("none")), Err(SecretError::Input(_))));
    }
}
