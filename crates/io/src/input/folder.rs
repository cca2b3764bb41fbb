//! A folder walked in the order of its names, fast: one buffer, one open and two reads a small file.

use super::entries::{Visit, hand_over_file, of_input};
use super::{InputError, source};
use aux_core::limits::{ENTRIES_MAX, FOLDER_DEPTH_MAX};
use std::collections::BTreeSet;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes read of a file before asking whether it is packed; most derivations are smaller.
const BUFFER_BYTES: usize = 256 << 10;

pub(super) fn walk(path: &Path, limit_bytes: u64, visit: &mut Visit<'_>) {
    let mut walk = Walk { limit_bytes, visit, buffer: vec![0; BUFFER_BYTES], entries: 0, seen: BTreeSet::new() };
    walk.folder(path, 0);
}

struct Walk<'a, 'v> {
    limit_bytes: u64,
    visit: &'a mut Visit<'v>,
    buffer: Vec<u8>,
    entries: usize,
    /// Folders entered, by their real path, so that links never lead in circles.
    seen: BTreeSet<PathBuf>,
}

impl Walk<'_, '_> {
    fn folder(&mut self, path: &Path, depth: usize) {
        let name = path.display().to_string();
        if depth > FOLDER_DEPTH_MAX {
            return (self.visit)(Err(InputError::Depth { name, limit: FOLDER_DEPTH_MAX }));
        }
        match fs::canonicalize(path) {
            Ok(real) => {
                if !self.seen.insert(real) {
                    return;
                }
            }
            Err(cause) => return (self.visit)(Err(InputError::of_file(&name, cause))),
        }
        let mut children = match self.children(path) {
            Ok(children) => children,
            Err(cause) => return (self.visit)(Err(InputError::of_file(&name, cause))),
        };
        children.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let mut child = path.to_path_buf();
        for (file_name, kind) in children {
            if self.entries > ENTRIES_MAX {
                return;
            }
            child.push(file_name);
            self.child(&child, kind, depth);
            child.pop();
        }
        if self.entries > ENTRIES_MAX && depth == 0 {
            (self.visit)(Err(InputError::Entries { name, limit: ENTRIES_MAX }));
        }
    }

    fn children(&self, path: &Path) -> io::Result<Vec<(std::ffi::OsString, FileType)>> {
        let mut children = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(b".") {
                children.push((name, entry.file_type()?));
            }
            if self.entries + children.len() > ENTRIES_MAX {
                break;
            }
        }
        Ok(children)
    }

    fn child(&mut self, path: &Path, kind: FileType, depth: usize) {
        self.entries += 1;
        let kind = if kind.is_symlink() {
            match fs::metadata(path) {
                Ok(metadata) => metadata.file_type(),
                Err(cause) => {
                    return (self.visit)(Err(InputError::of_file(&path.display().to_string(), cause)));
                }
            }
        } else {
            kind
        };
        if kind.is_dir() {
            self.folder(path, depth + 1);
        } else if kind.is_file() {
            // Pipes, sockets and devices are not documents, and opening a pipe would wait for ever.
            self.file(path);
        }
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(cause) => return (self.visit)(Err(InputError::of_file(&name, cause))),
        };
        let filled = match fill(&mut file, &mut self.buffer) {
            Ok(filled) => filled,
            Err(cause) => return (self.visit)(Err(InputError::of_file(&name, cause))),
        };
        let start = self.buffer.get(..filled).unwrap_or_default();
        if filled < self.buffer.len() {
            if filled as u64 > self.limit_bytes {
                return (self.visit)(Err(InputError::TooLarge { name, limit_bytes: self.limit_bytes }));
            }
            return hand_over_file(&name, start, self.limit_bytes, self.visit);
        }
        self.large_file(name, file, filled);
    }

    /// A file larger than the buffer: its packed form is not bounded by `limit_bytes`, only what comes out of it.
    fn large_file(&mut self, name: String, file: File, filled: usize) {
        let start = self.buffer.get(..filled).unwrap_or_default();
        match source::reader(name, start.chain(file)) {
            Ok(input) => of_input(input, self.limit_bytes, self.visit),
            Err(error) => (self.visit)(Err(error)),
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
