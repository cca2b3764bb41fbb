//! Recognises a packed file by its first bytes; a file's name is never trusted.

use std::fmt;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Packing {
    /// Bytes needed to tell.
    pub(super) const MAGIC_BYTES: usize = 6;

    /// Tells by magic number: RFC 1952 section 2.3.1, RFC 8878 section 3.1, "The .xz File Format" section 2.1.1.1.
    pub fn of(start: &[u8]) -> Self {
        match start {
            // The third byte is the method; deflate (8) is the only one ever defined.
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            // A skippable frame may stand in front; parallel compressors write one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // A block or the end of an empty stream follows the level; bzip2 has no specification but its source.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Self::Bzip2
            }
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        })
    }
}
