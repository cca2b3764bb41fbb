//! A file, link or folder on disk as a NAR.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aux_nix::nar::{NarWriteError, Writer};

/// What is read of a file at once.
const BUFFER_BYTES: usize = 256 << 10;
/// By this bit Nix tells an executable file.
const EXECUTABLE: u32 = 0o100;

/// Why something on disk is no NAR.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error("{}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{}: is neither a file nor a folder nor a link", path.display())]
    Kind { path: PathBuf },
    #[error("{}: {cause}", path.display())]
    Write { path: PathBuf, cause: NarWriteError },
}

/// Writes the NAR of `path` to `sink`.
pub fn dump<W: Write>(path: &Path, sink: W) -> Result<W, DumpError> {
    let mut writer = Writer::new(sink);
    Walk { writer: &mut writer, buffer: vec![0; BUFFER_BYTES] }.node(path)?;
    writer.finish().map_err(|cause| DumpError::Write { path: path.to_path_buf(), cause })
}

struct Walk<'a, W> {
    writer: &'a mut Writer<W>,
    buffer: Vec<u8>,
}

impl<W: Write> Walk<'_, W> {
    /// Goes as deep as the writer lets it.
    fn node(&mut self, path: &Path) -> Result<(), DumpError> {
        let read = |cause| DumpError::Read { path: path.to_path_buf(), cause };
        let write = |cause| DumpError::Write { path: path.to_path_buf(), cause };
        let metadata = path.symlink_metadata().map_err(read)?;
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(read)?;
            return self.writer.symlink(target.as_os_str().as_bytes()).map_err(write);
        }
        if metadata.is_file() {
            return self.file(path, &metadata);
        }
        if !metadata.is_dir() {
            return Err(DumpError::Kind { path: path.to_path_buf() });
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(read)?;
        let mut names: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.file_name().into_vec()).collect();
        names.sort_unstable();
        self.writer.directory().map_err(write)?;
        for name in names {
            self.writer.entry(&name).map_err(write)?;
            self.node(&path.join(std::ffi::OsStr::from_bytes(&name)))?;
        }
        self.writer.leave().map_err(write)
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) -> Result<(), DumpError> {
        let read = |cause| DumpError::Read { path: path.to_path_buf(), cause };
        let write = |cause| DumpError::Write { path: path.to_path_buf(), cause };
        let mut file = File::open(path).map_err(read)?;
        let is_executable = metadata.permissions().mode() & EXECUTABLE != 0;
        let mut content = self.writer.file(is_executable, metadata.len()).map_err(write)?;
        loop {
            let length = match file.read(&mut self.buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(read(error)),
            };
            match self.buffer.get(..length) {
                None | Some([]) => break,
                Some(bytes) => content.put(bytes).map_err(write)?,
            }
        }
        content.finish().map_err(write)
    }
}
