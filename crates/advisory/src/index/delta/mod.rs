//! What changed between indexes, as a file that makes an older one into the newest, byte for byte.
//! Its page: `docs/formats/auxdelta.md`.
//!
//! A delta sets keys; it does not edit bytes. So one that lists everything touched since serial 7 takes every client at
//! serial 7 or later to the newest, and a handful of them serves all clients.

mod apply;
mod blocks;
mod touched;
mod write;

#[cfg(test)]
mod tests;

pub use apply::{DeltaError, apply};
pub use touched::Touched;
pub use write::write;

use super::{HEADER_BYTES, SECTIONS, Section};

/// The first bytes of every delta.
const MAGIC: [u8; 8] = *b"\x89AUXDD\r\n";
/// Raised when an older reader would misread the file.
const VERSION: u32 = 1;

/// What a delta says of a key.
const GONE: u8 = 0;
const SET: u8 = 1;
/// Of a block: nothing that stood there before stays.
const REPLACE: u8 = 2;

/// Where an index keeps the checksum that names it: behind magic, version and the number of sections.
const CHECKSUM: std::ops::Range<usize> = HEADER_BYTES - 32..HEADER_BYTES;

/// The sections in file order.
const ORDER: [Section; SECTIONS] = [
    Section::Facts,
    Section::Advisories,
    Section::Aliases,
    Section::Products,
    Section::Packages,
    Section::Names,
    Section::Statements,
    Section::Fixes,
];

/// How the values of a section are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Opaque: a touched key carries its whole value.
    Plain,
    /// Entries by advisory, behind so many bytes of their own: only touched advisories are carried.
    Block { lead_bytes: usize },
}

fn shape(section: Section) -> Shape {
    match section {
        Section::Products => Shape::Block { lead_bytes: 1 },
        Section::Packages => Shape::Block { lead_bytes: 0 },
        Section::Facts
        | Section::Advisories
        | Section::Aliases
        | Section::Names
        | Section::Statements
        | Section::Fixes => Shape::Plain,
    }
}

/// The name by which a delta knows an index: the checksum in its header. `None` of what is too short to have one.
pub fn checksum(index: &[u8]) -> Option<[u8; 32]> {
    index.get(CHECKSUM)?.try_into().ok()
}

/// The checksum of the index a delta leads to; `None` of what is no delta.
pub fn announced(delta: &[u8]) -> Option<[u8; 32]> {
    delta.strip_prefix(&MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?.first_chunk::<32>().copied()
}
