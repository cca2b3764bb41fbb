//! A folder walked in the order of its names, fast: one buffer, one open and two reads a small file.

use super::entries::{Visit, hand_over_file, of_input};
use super::{InputError, source, zipped};
use aux_core::limits::{ENTRIES_MAX, FOLDER_DEPTH_MAX};
use std::collections::BTreeSet;
use std::fs::{self, File, FileType};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes read of a file before asking whether it is packed; most derivations are smaller.
const BUFFER_BYTES: usize = 256 << 10;

pub(super) fn walk(path: &Path, limit_bytes: u64, visit: &mut Visit<'_>) {
    let mut walk = Walk { limit_bytes, visit, buffer: vec![0; BUFFER_BYTES], entries: 0, seen: BTreeSet::new() };
    walk.folder(path, 0);
}

/// Files of one folder from which on a second thread helps to read them, and how many are shared out at once.
const AHEAD_FILES_MIN: usize = 64;
const AHEAD_FILES_MAX: usize = 4096;
/// Bytes the second thread holds at most before it stops.
const AHEAD_BYTES_MAX: usize = 32 << 20;

/// A name in a folder, and what it is.
type Child = (std::ffi::OsString, FileType);

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
        let mut rest = children.as_slice();
        while !rest.is_empty() && self.entries <= ENTRIES_MAX {
            let files = rest.iter().take(AHEAD_FILES_MAX).take_while(|(_, kind)| kind.is_file()).count();
            let (now, later) = rest.split_at(if files < AHEAD_FILES_MIN { 1 } else { files });
            self.some(path, now, depth);
            rest = later;
        }
        if self.entries > ENTRIES_MAX && depth == 0 {
            (self.visit)(Err(InputError::Entries { name, limit: ENTRIES_MAX }));
        }
    }

    /// Visits children in their order. Of many, the second half is read by another thread while the first is visited.
    fn some(&mut self, path: &Path, children: &[Child], depth: usize) {
        let (first, second) = children.split_at(children.len().div_ceil(2));
        let ahead = std::thread::scope(|scope| {
            let ahead = (!second.is_empty()).then(|| scope.spawn(|| read_ahead(path, second)));
            for (file_name, kind) in first {
                if self.entries > ENTRIES_MAX {
                    break;
                }
                self.child(&path.join(file_name), *kind, depth);
            }
            ahead.map(|ahead| ahead.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let mut ahead = ahead.unwrap_or_default().into_iter();
        for (file_name, kind) in second {
            if self.entries > ENTRIES_MAX {
                return;
            }
            let child = path.join(file_name);
            match ahead.next().flatten() {
                Some(bytes) if bytes.len() as u64 <= self.limit_bytes => {
                    self.entries += 1;
                    hand_over_file(&child.display().to_string(), &bytes, self.limit_bytes, self.visit);
                }
                _ => self.child(&child, *kind, depth),
            }
        }
    }

    fn children(&self, path: &Path) -> io::Result<Vec<Child>> {
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
            if filled as u64 > self.limit_bytes && !zipped::looks_like_zip(start) {
                return (self.visit)(Err(InputError::TooLarge { name, limit_bytes: self.limit_bytes }));
            }
            return hand_over_file(&name, start, self.limit_bytes, self.visit);
        }
        self.large_file(name, file, filled);
    }

    /// A file larger than the buffer: its packed form is not bounded by `limit_bytes`, only what comes out of it.
    fn large_file(&mut self, name: String, file: File, filled: usize) {
        let start = self.buffer.get(..filled).unwrap_or_default();
        if zipped::looks_like_zip(start) {
            return zipped::archive(&name, BufReader::new(file), self.limit_bytes, self.visit);
        }
        match source::reader(name, start.chain(file)) {
            Ok(input) => of_input(input, self.limit_bytes, self.visit),
            Err(error) => (self.visit)(Err(error)),
        }
    }
}

/// Reads small files whole. What is large, fails or would be too much together is `None` and left to the visit itself.
fn read_ahead(path: &Path, children: &[Child]) -> Vec<Option<Vec<u8>>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut held_bytes = 0;
    let mut read = |file_name: &std::ffi::OsString| {
        if held_bytes > AHEAD_BYTES_MAX {
            return None;
        }
        let filled = fill(&mut File::open(path.join(file_name)).ok()?, &mut buffer).ok()?;
        held_bytes += filled;
        buffer.get(..filled).filter(|_| filled < BUFFER_BYTES).map(<[u8]>::to_vec)
    };
    children.iter().map(|(file_name, _)| read(file_name)).collect()
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
