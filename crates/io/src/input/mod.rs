//! Bytes from outside, unpacked and bounded: one file, standard input, or every entry of a folder or archive.

mod archive;
mod entries;
mod error;
mod folder;
mod lines;
mod packing;
mod source;
mod zipped;

use std::io::Read;
use std::path::Path;

pub use archive::{archive, looks_like_tar};
pub use entries::{Entry, Visit, entries, of_input};
pub use error::InputError;
pub use lines::{Line, lines};
pub use packing::Packing;
pub use source::Input;

/// Opens a file, or standard input where `path` is `-`, and unpacks it if its first bytes say it is packed.
pub fn open(path: impl AsRef<Path>) -> Result<Input<'static>, InputError> {
    source::open(path.as_ref())
}

/// Reads a whole file, unpacked, refusing more than `limit_bytes`.
pub fn read(path: impl AsRef<Path>, limit_bytes: u64) -> Result<Vec<u8>, InputError> {
    let mut input = open(path)?;
    let mut bytes = Vec::new();
    input.read_into(&mut bytes, limit_bytes)?;
    Ok(bytes)
}

/// Unpacks bytes already in memory, if they are packed; `None` where they are plain.
pub fn unpack(name: &str, bytes: &[u8], limit_bytes: u64) -> Result<Option<Vec<u8>>, InputError> {
    if Packing::of(bytes) == Packing::Plain {
        return Ok(None);
    }
    let mut unpacked = Vec::new();
    source::reader(name.to_owned(), bytes)?.read_into(&mut unpacked, limit_bytes)?;
    Ok(Some(unpacked))
}

/// Appends `reader` to `bytes` until it ends; false where it holds more than `limit_bytes`.
fn read_bounded(reader: &mut dyn Read, bytes: &mut Vec<u8>, limit_bytes: u64) -> std::io::Result<bool> {
    let before = bytes.len() as u64;
    reader.take(limit_bytes.saturating_add(1)).read_to_end(bytes)?;
    Ok(bytes.len() as u64 - before <= limit_bytes)
}

#[cfg(test)]
mod tests;
