//! What a push would send: the closure as narinfos without a URL yet, each after what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aux_inventory::StoreObject;
use aux_nix::content_address::ContentAddressError;
use aux_nix::hash::HashError;
use aux_nix::narinfo::{Compression, Nar, NarInfoError, NarUrl, NarUrlError};
use aux_nix::signature::{KeyError, Signature};
use aux_nix::store_path::StorePathError;
use aux_nix::{BaseName, ContentAddress, NarInfo, Sha256, StorePath};

/// One store object and what its narinfo will say.
#[derive(Debug, Clone)]
pub struct Item {
    /// Where it is on disk.
    pub source: PathBuf,
    pub info: NarInfo,
    /// The numbers of the items it needs, all smaller than its own.
    pub(super) needs: Vec<usize>,
}

/// Everything a push would send, in an order in which it can be committed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub items: Vec<Item>,
}

/// Why a store's record of a path cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{path}: the store's record is none: {source}")]
    Path { path: String, source: StorePathError },
    #[error("{path}: the store's record of its hash is none: {source}")]
    Hash { path: String, source: HashError },
    #[error("{path}: the store's record of a signature is none: {source}")]
    Signature { path: String, source: KeyError },
    #[error("{path}: the store's record of its content address is none: {source}")]
    ContentAddress { path: String, source: ContentAddressError },
    #[error("{path}: {source}")]
    NarInfo { path: String, source: NarInfoError },
    #[error("{path}: {source}")]
    Url { path: String, source: NarUrlError },
}

impl Plan {
    /// Makes a plan of what a store's database says, which is in an order in which it can be committed. The store is that of
    /// the system below `root`.
    pub fn new(objects: &[StoreObject], root: &Path) -> Result<Self, PlanError> {
        let mut numbers: BTreeMap<BaseName, usize> = BTreeMap::new();
        let mut items = Vec::with_capacity(objects.len());
        for object in objects {
            let info = narinfo(object)?;
            let needs = info.references.iter().filter_map(|reference| numbers.get(reference).copied()).collect();
            numbers.insert(info.path.clone(), items.len());
            let source = root.join(object.path.trim_start_matches('/'));
            items.push(Item { source, info, needs });
        }
        Ok(Self { items })
    }

    /// Bytes of all NARs.
    pub fn nar_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.info.nar_size).sum()
    }
}

fn narinfo(object: &StoreObject) -> Result<NarInfo, PlanError> {
    let path = || object.path.clone();
    let base = |text: &str| {
        let parsed = StorePath::parse(text).map(BaseName::from);
        parsed.map_err(|source| PlanError::Path { path: path(), source })
    };
    let own = StorePath::parse(&object.path).map_err(|source| PlanError::Path { path: path(), source })?;
    let hash = Sha256::parse(&object.nar_hash).map_err(|source| PlanError::Hash { path: path(), source })?;
    let url = NarUrl::parse(&format!("nar/{}.nar.zst", hash.nix32()));
    let url = url.map_err(|source| PlanError::Url { path: path(), source })?;
    let nar = Nar { url, compression: Compression::Zstd, hash, size: object.nar_size };
    let mut info = NarInfo::new(own, nar).map_err(|source| PlanError::NarInfo { path: path(), source })?;
    info.references = object.references.iter().map(|one| base(one)).collect::<Result<BTreeSet<_>, _>>()?;
    info.deriver = object.deriver.as_deref().map(base).transpose()?;
    let signatures = object.signatures.iter().map(|text| Signature::parse(text));
    info.signatures =
        signatures.collect::<Result<_, _>>().map_err(|source| PlanError::Signature { path: path(), source })?;
    let address = object.content_address.as_deref().map(ContentAddress::parse).transpose();
    info.content_address = address.map_err(|source| PlanError::ContentAddress { path: path(), source })?;
    Ok(info)
}
