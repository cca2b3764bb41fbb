//! How NARs are packed: what each packing is called, how it is told, and what is in it.

use std::io::{self, BufRead, Read};

use aux_nix::narinfo::Compression;

use crate::brotli::Brotli;

/// Enough to tell how something is packed.
pub(crate) const START_BYTES: usize = 8;

/// How a NAR is packed. Its first bytes tell, and not its name: Nix 2.8 has one name for some packings and none at all. Brotli
/// has no bytes that tell it, so there the name must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    None,
    Brotli,
    Bzip2,
    Gzip,
    Xz,
    Zstd,
}

impl Packing {
    pub(crate) const ALL: [Self; 6] = [Self::None, Self::Brotli, Self::Bzip2, Self::Gzip, Self::Xz, Self::Zstd];

    /// As a narinfo calls it.
    pub fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Brotli => Compression::Brotli,
            Self::Bzip2 => Compression::Bzip2,
            Self::Gzip => Compression::Gzip,
            Self::Xz => Compression::Xz,
            Self::Zstd => Compression::Zstd,
        }
    }

    /// What stands behind `.nar` in a name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Brotli => ".br",
            Self::Bzip2 => ".bz2",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }

    /// By what stands behind `.nar`.
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|packing| packing.suffix() == suffix)
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|packing| packing.compression().name() == name)
    }

    /// RFC 1952 section 2.3.1; the xz file format, section 2.1.1.1; RFC 8878 sections 3.1.1 and 3.1.2. A stream of bzip2 goes on with the
    /// digits of pi in front of a block, or of its square root at the end of an empty one.
    pub(crate) fn of(start: &[u8], named: Option<Self>) -> Self {
        match start {
            // No Nix gives this name to anything else, and a stream may begin as another packing does.
            _ if named == Some(Self::Brotli) => Self::Brotli,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Self::Bzip2,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// What is in a packing.
pub(crate) fn unpacked<'r>(packed: impl BufRead + 'r, packing: Packing) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packing {
        Packing::None => Box::new(packed),
        Packing::Brotli => Box::new(Brotli::new(packed)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(packed, true)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
    })
}
