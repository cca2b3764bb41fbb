//! What an upstream says of a path, held against what it may say: a narinfo that passes is an offer.

use aux_core::limits::CACHE_NAR_BYTES_MAX;
use aux_io::http::HttpError;
use aux_nix::NarInfo;
use aux_nix::content_address::ContentError;
use aux_nix::narinfo::{Compression, NarInfoError, NarUrl, NarUrlError};
use aux_nix::signature::{SignatureError, TrustedKeys};

use crate::names::{PathHash, Pattern, pulled_name};
use crate::packing::Packing;
use crate::push::PutError;

/// Why an answer of an upstream is not used. All of it is the upstream's doing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("its narinfo is none: {0}")]
    NarInfo(#[from] NarInfoError),
    #[error("its narinfo is of another path: {0}")]
    OtherPath(String),
    #[error("its store directory is {0}")]
    StoreDirectory(String),
    #[error("{0}")]
    Signature(#[from] SignatureError),
    #[error("CA: {0}")]
    ContentAddress(ContentError),
    #[error("its NAR is packed with {0}, which is not unpacked here")]
    Compression(Compression),
    #[error("its NAR would have {0} bytes, more than CACHE_NAR_BYTES_MAX")]
    TooLarge(u64),
    #[error("what came is encoded as {0}, which nobody asked for")]
    Encoded(String),
    #[error("its NAR is not there")]
    NoNar,
    #[error("its NAR: {0}")]
    Nar(PutError),
    #[error("{0}")]
    Http(HttpError),
    #[error("{0}")]
    Url(#[from] NarUrlError),
}

/// Which narinfos of an upstream are believed and wanted.
#[derive(Debug)]
pub(super) struct Rules<'r> {
    pub keys: &'r TrustedKeys,
    pub names: &'r [Pattern],
    pub names_not: &'r [Pattern],
    pub store_directory: &'r str,
}

/// A path that an upstream has, proved by a signature that is believed of it.
#[derive(Debug)]
pub(crate) struct Offer {
    /// As the upstream says it, with our URL.
    pub info: NarInfo,
    /// Whether the content address, where there is one, follows from what is signed.
    is_proved: bool,
    /// Where the upstream has the NAR.
    pub from: NarUrl,
}

impl Rules<'_> {
    /// Holds a narinfo that came for `hash` against everything it must be; `None` where its name is not wanted.
    pub(super) fn judge(&self, hash: PathHash, document: &[u8]) -> Result<Option<Offer>, Refusal> {
        let mut info = NarInfo::parse(document)?;
        if PathHash::of(&info.path) != Some(hash) {
            return Err(Refusal::OtherPath(info.path.to_string()));
        }
        if info.store_directory() != self.store_directory {
            return Err(Refusal::StoreDirectory(info.store_directory().to_owned()));
        }
        let name = info.path.name();
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(name));
        if !self.names.is_empty() && !fits(self.names) || fits(self.names_not) {
            return Ok(None);
        }
        info.verify(self.keys)?;
        if info.nar_size > CACHE_NAR_BYTES_MAX {
            return Err(Refusal::TooLarge(info.nar_size));
        }
        let packing = Packing::parse(info.compression.name()).ok_or(Refusal::Compression(info.compression))?;
        let is_proved = match info.verify_content_address() {
            Ok(_) | Err(ContentError::None) => true,
            Err(ContentError::NeedsNar | ContentError::Unsupported(_)) => false,
            Err(error) => return Err(Refusal::ContentAddress(error)),
        };
        let from = info.url.clone();
        info.url = NarUrl::parse(&format!("nar/{}", pulled_name(info.nar_hash, hash, packing)))?;
        Ok(Some(Offer { info, is_proved, from }))
    }
}

impl Offer {
    /// As it is served: what is signed, and how the NAR is packed. The packed size and hash are known once it is here.
    pub(crate) fn served(&self) -> NarInfo {
        let mut info = self.proposed();
        // Nothing signs this field, and clients believe it: it waits until the NAR is here and bears it out.
        info.content_address = info.content_address.filter(|_| self.is_proved);
        info
    }

    /// As it is to be committed, once the NAR is here and was held against the packed size and hash.
    pub(crate) fn proposed(&self) -> NarInfo {
        let mut info = self.info.clone();
        (info.file_hash, info.file_size) = (None, None);
        info
    }

    /// The same for a NAR that is here already, packed in some way.
    pub(crate) fn packed(mut self, packing: Packing) -> Result<Self, Refusal> {
        let hash = PathHash::of(&self.info.path).ok_or_else(|| Refusal::OtherPath(self.info.path.to_string()))?;
        self.info.url = NarUrl::parse(&format!("nar/{}", pulled_name(self.info.nar_hash, hash, packing)))?;
        self.info.compression = packing.compression();
        Ok(self)
    }

    /// More bytes than this are no packing of it: what cannot be packed grows by less.
    pub(super) fn packed_bytes_max(&self) -> u64 {
        const FRAMES_BYTES: u64 = 64 << 10;
        let most = (self.info.nar_size + self.info.nar_size / 64).saturating_add(FRAMES_BYTES);
        self.info.file_size.map_or(most, |stated| stated.min(most))
    }

    /// What it takes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        const FIELDS_BYTES: usize = 512;
        const REFERENCE_BYTES: usize = 96;
        const SIGNATURE_BYTES: usize = 192;
        FIELDS_BYTES + self.info.references.len() * REFERENCE_BYTES + self.info.signatures.len() * SIGNATURE_BYTES
    }
}
