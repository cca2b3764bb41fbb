//! A file, link or folder on disk as a NAR, a piece at a time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aux_nix::Sha256;
use aux_nix::nar::{NarWriteError, Writer};

use crate::sent::Hashing;

/// What is read of a file at once.
pub(super) const BUFFER_BYTES: usize = 256 << 10;
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
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut dump = Dump::new(path, sink, &mut buffer)?;
    while dump.step()? {}
    dump.finish()
}

/// The hash and the size of the NAR of `path`.
pub(super) fn digest(path: &Path) -> Result<(Sha256, u64), DumpError> {
    let hashing = dump(path, io::BufWriter::new(Hashing::default()))?;
    let whole = hashing.into_inner().map_err(|error| DumpError::Write {
        path: path.to_path_buf(),
        cause: NarWriteError::Write(error.into_error()),
    })?;
    Ok((whole.hasher.finish(), whole.size))
}

/// A NAR that is being written.
pub(super) struct Dump<'b, W> {
    writer: Writer<W>,
    path: PathBuf,
    /// What was begun and not ended, the innermost last.
    open: Vec<Open>,
    buffer: &'b mut [u8],
}

enum Open {
    Folder { path: PathBuf, names: std::vec::IntoIter<Vec<u8>> },
    File { path: PathBuf, file: File },
}

impl Open {
    fn path(&self) -> &Path {
        match self {
            Self::Folder { path, .. } | Self::File { path, .. } => path,
        }
    }
}

impl<'b, W: Write> Dump<'b, W> {
    /// `buffer` is what files are read into.
    pub(super) fn new(path: &Path, sink: W, buffer: &'b mut [u8]) -> Result<Self, DumpError> {
        let mut dump = Self { writer: Writer::new(sink), path: path.to_path_buf(), open: Vec::new(), buffer };
        dump.begin(path.to_path_buf())?;
        Ok(dump)
    }

    /// What is written to.
    pub(super) fn sink(&mut self) -> &mut W {
        self.writer.get_mut()
    }

    /// Writes the next folder's begin or end, link, or part of a file; `false` once there is nothing more.
    pub(super) fn step(&mut self) -> Result<bool, DumpError> {
        let Some(open) = self.open.last_mut() else { return Ok(false) };
        let write = |open: &Open, cause| DumpError::Write { path: open.path().to_path_buf(), cause };
        match open {
            Open::Folder { path, names } => {
                if let Some(name) = names.next() {
                    let child = path.join(std::ffi::OsStr::from_bytes(&name));
                    self.writer.entry(&name).map_err(|cause| write(open, cause))?;
                    self.begin(child)?;
                } else {
                    self.writer.leave().map_err(|cause| write(open, cause))?;
                    self.open.pop();
                }
            }
            Open::File { path, file } => match read(file, self.buffer) {
                Err(cause) => return Err(DumpError::Read { path: path.clone(), cause }),
                Ok([]) => {
                    self.writer.end_file().map_err(|cause| write(open, cause))?;
                    self.open.pop();
                }
                Ok(bytes) => self.writer.content(bytes).map_err(|cause| write(open, cause))?,
            },
        }
        Ok(true)
    }

    /// Gives back what was written to, once the NAR is whole.
    pub(super) fn finish(self) -> Result<W, DumpError> {
        self.writer.finish().map_err(|cause| DumpError::Write { path: self.path, cause })
    }

    /// Goes as deep as the writer lets it.
    fn begin(&mut self, path: PathBuf) -> Result<(), DumpError> {
        let read = |cause| DumpError::Read { path: path.clone(), cause };
        let write = |cause| DumpError::Write { path: path.clone(), cause };
        let metadata = path.symlink_metadata().map_err(read)?;
        if metadata.is_symlink() {
            let target = fs::read_link(&path).map_err(read)?;
            return self.writer.symlink(target.as_os_str().as_bytes()).map_err(write);
        }
        if metadata.is_file() {
            let file = File::open(&path).map_err(read)?;
            let is_executable = metadata.permissions().mode() & EXECUTABLE != 0;
            self.writer.file(is_executable, metadata.len()).map_err(write)?;
            self.open.push(Open::File { path, file });
            return Ok(());
        }
        if !metadata.is_dir() {
            return Err(DumpError::Kind { path });
        }
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(read)?;
        let mut names: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.file_name().into_vec()).collect();
        names.sort_unstable();
        self.writer.directory().map_err(write)?;
        self.open.push(Open::Folder { path, names: names.into_iter() });
        Ok(())
    }
}

fn read<'b>(file: &mut File, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        match file.read(buffer) {
            Ok(length) => return Ok(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
