//! A packed NAR that waits to be sent: in memory while it is small, and else in a file that nobody finds.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

/// What stays in memory, bytes.
const MEMORY_BYTES_MAX: usize = 16 << 20;

/// Written once, and read from its beginning as often as it must be sent.
#[derive(Debug)]
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    size: u64,
    folder: PathBuf,
}

impl Spool {
    /// `memory` is used again; what is too large for it goes to `folder`.
    pub(super) fn new(mut memory: Vec<u8>, folder: &Path) -> Self {
        memory.clear();
        Self { memory, file: None, size: 0, folder: folder.to_path_buf() }
    }

    /// What was written, bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads from the beginning.
    pub(super) fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        match &mut self.file {
            None => Ok(Box::new(&*self.memory)),
            Some(file) => {
                file.rewind()?;
                Ok(Box::new(file))
            }
        }
    }

    pub(super) fn into_memory(self) -> Vec<u8> {
        self.memory
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > MEMORY_BYTES_MAX {
            let mut file = tempfile::tempfile_in(&self.folder)?;
            file.write_all(&self.memory)?;
            self.memory.clear();
            self.file = Some(file);
        }
        let length = if let Some(file) = &mut self.file {
            file.write(bytes)?
        } else {
            self.memory.extend_from_slice(bytes);
            bytes.len()
        };
        self.size += u64::try_from(length).unwrap_or(u64::MAX);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_often_as_needed_however_large() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Vec::new();
        for (pieces, is_file) in [(1, false), (40, true), (3, false)] {
            let mut spool = Spool::new(memory, folder.path());
            for piece in 0..pieces {
                spool.write_all(&vec![piece; 1 << 20]).unwrap();
            }
            assert_eq!((spool.file.is_some(), spool.size()), (is_file, u64::from(pieces) << 20));
            for _ in 0..2 {
                let mut read = Vec::new();
                spool.reader().unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read.len(), usize::from(pieces) << 20);
                assert!(read.chunks(1 << 20).zip(0..).all(|(bytes, piece)| bytes.iter().all(|byte| *byte == piece)));
            }
            memory = spool.into_memory();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
