//! How a NAR is packed, by the names Nix has for it.

use std::fmt;

/// A packing that some Nix knows. Nix itself writes `xz` unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    Brotli,
    Bzip2,
    Compress,
    Gzip,
    Grzip,
    Lrzip,
    Lz4,
    Lzip,
    Lzma,
    Lzop,
    None,
    Xz,
    Zstd,
}

impl Compression {
    const ALL: [Self; 13] = [
        Self::Brotli,
        Self::Bzip2,
        Self::Compress,
        Self::Gzip,
        Self::Grzip,
        Self::Lrzip,
        Self::Lz4,
        Self::Lzip,
        Self::Lzma,
        Self::Lzop,
        Self::None,
        Self::Xz,
        Self::Zstd,
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Bzip2 => "bzip2",
            Self::Compress => "compress",
            Self::Gzip => "gzip",
            Self::Grzip => "grzip",
            Self::Lrzip => "lrzip",
            Self::Lz4 => "lz4",
            Self::Lzip => "lzip",
            Self::Lzma => "lzma",
            Self::Lzop => "lzop",
            Self::None => "none",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
