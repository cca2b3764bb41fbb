//! What is answered from memory: for every cache and view its paths' narinfos and NARs, ready to be sent.
//!
//! It is made from the records at the start and follows each act after its transaction. It never knows more than they do.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aux_nix::Sha256;

use crate::names::{PathHash, SpaceName};
use crate::records::{ObjectRow, PathRow, SpaceRow};

/// One path, ready to be sent.
#[derive(Debug, Clone)]
pub struct Served {
    pub number: i64,
    pub nar_hash: Sha256,
    pub nar_size: u64,
    pub narinfo: Box<[u8]>,
}

/// A NAR that at least one visible path has.
#[derive(Debug, Clone, Copy)]
pub struct Nar {
    pub file_hash: Sha256,
    pub file_size: u64,
}

/// A cache or view.
#[derive(Debug)]
pub struct Space {
    pub row: SpaceRow,
    paths: BTreeMap<PathHash, Served>,
    nars: BTreeMap<Sha256, Nar>,
    /// Why paths are hidden.
    withdrawn: BTreeMap<PathHash, String>,
    nar_bytes: u64,
}

impl Space {
    pub fn new(row: SpaceRow) -> Self {
        let (paths, nars, withdrawn) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { row, paths, nars, withdrawn, nar_bytes: 0 }
    }

    /// Without paths so far, and with the reasons of those that are hidden.
    pub fn hiding(row: SpaceRow, withdrawn: BTreeMap<PathHash, String>) -> Self {
        Self { withdrawn, ..Self::new(row) }
    }

    /// Whether what it sends bears the server's own signature.
    pub fn is_signed(&self) -> bool {
        self.row.signs || self.row.source.is_some()
    }

    /// Makes a path visible, or what is said of it new.
    pub fn add(&mut self, path: &PathRow) {
        let ObjectRow { nar_hash, nar_size, file_hash, file_size, .. } = path.object;
        let own = path.signature.as_deref().filter(|_| self.is_signed());
        let served = Served { number: path.number, nar_hash, nar_size, narinfo: ready(&path.narinfo, own) };
        if self.paths.insert(path.hash, served).is_none() {
            self.nar_bytes = self.nar_bytes.saturating_add(nar_size);
            self.nars.entry(nar_hash).or_insert(Nar { file_hash, file_size });
        }
    }

    pub fn path(&self, hash: PathHash) -> Option<&Served> {
        self.paths.get(&hash)
    }

    pub fn nar(&self, nar_hash: Sha256) -> Option<Nar> {
        self.nars.get(&nar_hash).copied()
    }

    pub fn withdrawn(&self, hash: PathHash) -> Option<&str> {
        self.withdrawn.get(&hash).map(String::as_str)
    }

    pub fn paths(&self) -> impl Iterator<Item = (&PathHash, &Served)> {
        self.paths.iter()
    }

    pub fn paths_count(&self) -> usize {
        self.paths.len()
    }

    /// Of all visible paths together, unpacked.
    pub fn nar_bytes(&self) -> u64 {
        self.nar_bytes
    }
}

/// A narinfo with the server's own signature behind those that it came with. The order of fields is free to Nix.
pub(crate) fn ready(narinfo: &str, signatures: Option<&str>) -> Box<[u8]> {
    match signatures {
        None => narinfo.as_bytes().into(),
        Some(signatures) => {
            let mut text = narinfo.to_owned();
            for signature in signatures.lines() {
                text.extend(["Sig: ", signature, "\n"]);
            }
            text.into_bytes().into_boxed_slice()
        }
    }
}

type Shared = Arc<RwLock<Space>>;

/// All caches and views.
#[derive(Debug, Default)]
pub(crate) struct Catalogue(RwLock<BTreeMap<SpaceName, Shared>>);

impl Catalogue {
    pub(crate) fn space(&self, name: &SpaceName) -> Option<SharedSpace> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned().map(SharedSpace)
    }

    /// By its number in the records.
    pub(crate) fn numbered(&self, number: i64) -> Option<SharedSpace> {
        self.all().into_iter().find(|space| space.read().row.number == number)
    }

    /// Adds one, or puts it in the place of the one with its name.
    pub(crate) fn put(&self, space: Space) {
        let name = space.row.name.clone();
        let mut spaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match spaces.get(&name) {
            Some(shared) => *shared.write().unwrap_or_else(PoisonError::into_inner) = space,
            None => drop(spaces.insert(name, Arc::new(RwLock::new(space)))),
        }
    }

    /// Every cache and view, by name.
    pub(crate) fn all(&self) -> Vec<SharedSpace> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().map(SharedSpace).collect()
    }
}

/// A cache or view that others may be reading too. No lock is held over a wait.
#[derive(Debug, Clone)]
pub struct SharedSpace(Shared);

impl SharedSpace {
    pub fn read(&self) -> RwLockReadGuard<'_, Space> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Space> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is set up.
    pub fn row(&self) -> SpaceRow {
        self.read().row.clone()
    }
}
