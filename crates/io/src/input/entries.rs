//! Every document below a path: the file itself, the files of a folder, the entries of a tar.
//!
//! One bad entry never hides the others: its error is handed to the visitor in its place.

use super::archive::{TAR_BLOCK_BYTES, archive, looks_like_tar};
use super::{Input, InputError, Packing, folder, open, unpack, zipped};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

/// One document.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What to call it: a path, or `archive.tar.zst!folder/file.json`.
    pub name: &'a str,
    /// Unpacked.
    pub bytes: &'a [u8],
}

/// What is handed each entry, or the reason why one could not be read.
pub type Visit<'v> = dyn FnMut(Result<Entry<'_>, InputError>) + 'v;

/// Hands every document below `path` to `visit`; `-` is standard input.
///
/// A folder is walked in the order of its names; names that begin with a dot are passed over. A tar, packed or not, is
/// told by its content or its name, also inside a folder; links and devices in it are passed over. A zip is told by its
/// content, as a file or in a folder; its table stands at its end, so it cannot come from standard input.
pub fn entries(path: impl AsRef<Path>, limit_bytes: u64, visit: &mut Visit<'_>) {
    let path = path.as_ref();
    if path.as_os_str() != "-" && path.is_dir() {
        folder::walk(path, limit_bytes, visit);
    } else if let Some(zip) = zip_file(path) {
        zipped::archive(&path.display().to_string(), BufReader::new(zip), limit_bytes, visit);
    } else {
        match open(path) {
            Ok(input) => of_input(input, limit_bytes, visit),
            Err(error) => visit(Err(error)),
        }
    }
}

/// The file at `path`, rewound, where it is a zip. Whatever goes wrong here is said by the ordinary way of reading.
fn zip_file(path: &Path) -> Option<File> {
    if path.as_os_str() == "-" || !path.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let mut start = [0; zipped::MAGIC_BYTES];
    file.read_exact(&mut start).ok()?;
    file.rewind().ok()?;
    zipped::looks_like_zip(&start).then_some(file)
}

/// Hands the one document, or the entries of the tar, that an open input is.
pub fn of_input(mut input: Input<'_>, limit_bytes: u64, visit: &mut Visit<'_>) {
    let name = input.name().to_owned();
    match input.peek(TAR_BLOCK_BYTES) {
        Ok(start) if looks_like_tar(&name, start) => return archive(&name, &mut input, limit_bytes, visit),
        Ok(_) => {}
        Err(error) => return visit(Err(error)),
    }
    let mut bytes = Vec::new();
    match input.read_into(&mut bytes, limit_bytes) {
        Ok(()) => visit(Ok(Entry { name: &name, bytes: &bytes })),
        Err(error) => visit(Err(error)),
    }
}

/// Visits bytes that are a whole file, unpacking them first where they are packed, and says how many came of it.
pub(super) fn hand_over(name: &str, bytes: &[u8], limit_bytes: u64, visit: &mut Visit<'_>) -> u64 {
    match unpack(name, bytes, limit_bytes) {
        Ok(None) => visit(Ok(Entry { name, bytes })),
        Ok(Some(unpacked)) => {
            visit(Ok(Entry { name, bytes: &unpacked }));
            return unpacked.len() as u64;
        }
        Err(error @ InputError::TooLarge { .. }) => {
            visit(Err(error));
            return limit_bytes;
        }
        Err(error) => visit(Err(error)),
    }
    0
}

/// Like [`hand_over`], for a file of a folder, which may be a tar itself.
pub(super) fn hand_over_file(name: &str, bytes: &[u8], limit_bytes: u64, visit: &mut Visit<'_>) {
    if zipped::looks_like_zip(bytes) {
        return zipped::archive(name, Cursor::new(bytes), limit_bytes, visit);
    }
    if Packing::of(bytes) == Packing::Plain {
        if looks_like_tar(name, bytes) {
            return archive(name, &mut &*bytes, limit_bytes, visit);
        }
        return visit(Ok(Entry { name, bytes }));
    }
    match super::source::reader(name.to_owned(), bytes) {
        Ok(input) => of_input(input, limit_bytes, visit),
        Err(error) => visit(Err(error)),
    }
}
