//! The compiled index: one file, read in place, checked before it is believed. Its page: `docs/formats/auxdb.md`.

mod bytes;
pub mod delta;
mod details;
mod entry;
#[cfg(test)]
mod golden;
mod key;
mod read;
mod table;
mod write;

pub use details::{Detail, Details, compile_details};
pub use entry::{Advisory, Entry};
pub use key::AdvisoryKey;
pub use read::{Block, Damaged, Fixed, Index, IndexError, Known, Said};
pub use write::{Facts, compile};

/// The first bytes of every index.
const MAGIC: [u8; 8] = *b"\x89AUXDB\r\n";
/// Raised when an older reader would misread the file.
const VERSION: u32 = 1;
/// Magic, version, number of sections, checksum of everything behind the header.
const HEADER_BYTES: usize = 8 + 4 + 4 + 32;

/// The sections, in file order. A reader refuses a file that has another number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Facts about the feed itself: text to text.
    Facts,
    /// [`AdvisoryKey`] to an advisory.
    Advisories,
    /// An id that is not the advisory's own to its key.
    Aliases,
    /// `folded product NUL product` to its stance by rule and its entries.
    Products,
    /// `ecosystem/folded name` to its entries.
    Packages,
    /// `ecosystem/folded name` to what the team decided it is called.
    Names,
    /// `ecosystem/folded name` to the team's statements.
    Statements,
    /// `ecosystem/folded name` to fixed versions in channels.
    Fixes,
}

const SECTIONS: usize = 8;

/// The key of a package in the tables that are keyed by package.
fn package_key(ecosystem: &str, folded: &str) -> Vec<u8> {
    [ecosystem.as_bytes(), b"/", folded.as_bytes()].concat()
}
