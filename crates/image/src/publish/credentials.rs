//! Who publishes: one line of a file that nobody else may read, never a flag or a variable.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aux_alert::{Secret, SecretError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `USER:PASSWORD`, or a token that stands alone. Neither `Debug` nor `Display` shows it.
pub struct Credentials(Secret);

/// Why credentials cannot be used. What the file holds never stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{}: others than its owner may read or change it (mode {mode:04o}); chmod 600 it", path.display())]
    Open { path: PathBuf, mode: u32 },
}

impl Credentials {
    /// Reads the one line of a file of mode 0600 or less.
    pub fn of_file(path: &Path) -> Result<Self, CredentialsError> {
        if let Ok(metadata) = std::fs::metadata(path)
            && metadata.mode() & 0o077 != 0
        {
            return Err(CredentialsError::Open { path: path.to_owned(), mode: metadata.mode() & 0o777 });
        }
        Ok(Self(Secret::of_file(path)?))
    }

    /// The value of `Authorization` (RFC 7617, RFC 6750), for the wire alone.
    pub(super) fn header(&self) -> String {
        let text = self.0.reveal();
        if text.contains(':') { format!("Basic {}", STANDARD.encode(text)) } else { format!("Bearer {text}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn credentials_are_a_closed_file_with_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let read = |text: &str, mode| {
            aux_io::file::replace(&path, text.as_bytes()).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Credentials::of_file(&path)
        };
        assert_eq!(read("a:b:c\n", 0o600).ok().unwrap().header(), "Basic YTpiOmM=");
        assert_eq!(read("eyJ.x.y", 0o400).ok().unwrap().header(), "Bearer eyJ.x.y");
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let error = read("a:hunter2", mode).err().unwrap();
            assert!(
                matches!(error, CredentialsError::Open { .. }) && !error.to_string().contains("hunter2"),
                "{error}"
            );
        }
        assert!(read("", 0o600).is_err() && Credentials::of_file(&folder.path().join("none")).is_err());
    }
}
