//! Files with secrets in them: read whole and never unpacked, written for their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aux_core::limits::SECRET_VALUE_BYTES_MAX;

use crate::secret::SecretBytes;

/// A file that cannot be read or written. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{}: more than {SECRET_VALUE_BYTES_MAX} bytes (SECRET_VALUE_BYTES_MAX)", path.display())]
    Large { path: PathBuf },
    #[error("{}: cannot be written: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{}: is there and no file", path.display())]
    Irregular { path: PathBuf },
}

/// What a file holds.
pub fn read(path: &Path) -> Result<SecretBytes, SecretFileError> {
    let failed = |cause| SecretFileError::Read { path: path.to_path_buf(), cause };
    read_from(&mut File::open(path).map_err(failed)?, path)
}

/// What a stream gives until it ends; `path` is its name in messages.
pub fn read_from(stream: &mut dyn io::Read, path: &Path) -> Result<SecretBytes, SecretFileError> {
    let mut secret = SecretBytes::with_capacity(4096);
    let mut piece = zeroize::Zeroizing::new([0; 4096]);
    loop {
        match stream.take(4096).read(piece.as_mut_slice()) {
            Ok(0) => return Ok(secret),
            Ok(length) => secret.push(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(SecretFileError::Read { path: path.to_path_buf(), cause }),
        }
        if secret.reveal().len() > SECRET_VALUE_BYTES_MAX {
            return Err(SecretFileError::Large { path: path.to_path_buf() });
        }
    }
}

/// Whether others than its owner and group may read a file.
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o004 != 0)
}

/// Puts a secret at `path`, mode 0600, in one step; a file that is there is replaced, a link is not followed.
pub fn write(path: &Path, secret: &SecretBytes) -> Result<(), SecretFileError> {
    let failed = |cause| SecretFileError::Write { path: path.to_path_buf(), cause };
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(SecretFileError::Irregular { path: path.to_path_buf() });
    }
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = || {
        // What a killed process of the same number left is nobody's.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(secret.reveal())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().map_err(|cause| {
        // The write failed already.
        drop(fs::remove_file(&beside));
        failed(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for value in [&b"one"[..], b"another"] {
            write(&path, &SecretBytes::from(value)).unwrap();
            assert_eq!(read(&path).ok().unwrap().reveal(), value);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert!(matches!(write(folder.path(), &SecretBytes::from(&b""[..])), Err(SecretFileError::Irregular { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
