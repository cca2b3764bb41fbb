//! What is answered from memory: for every cache and view its paths' narinfos and NARs, ready to be sent.
//!
//! It is made from the records at the start and follows each act after its transaction. It never knows more than they do.

mod kept;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use aux_nix::Sha256;

pub(crate) use kept::Kept;

use crate::names::{PathHash, SpaceName};
use crate::records::{PathRow, SpaceRow};

/// A NAR that at least one visible path has.
#[derive(Debug, Clone, Copy)]
pub struct Nar {
    pub file_hash: Sha256,
    pub file_size: u64,
}

/// A path in the order of NARs, whose hash is not written down once more: there are millions.
#[derive(Debug, Clone)]
struct ByNar(Arc<Kept>);

impl Borrow<Sha256> for ByNar {
    fn borrow(&self) -> &Sha256 {
        &self.0.nar_hash
    }
}

impl Ord for ByNar {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.nar_hash.cmp(&other.0.nar_hash)
    }
}

impl PartialOrd for ByNar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByNar {
    fn eq(&self, other: &Self) -> bool {
        self.0.nar_hash == other.0.nar_hash
    }
}

impl Eq for ByNar {}

/// A cache or view.
#[derive(Debug)]
pub struct Space {
    pub row: SpaceRow,
    paths: BTreeMap<PathHash, Arc<Kept>>,
    /// For each NAR a path that has it; of several any.
    nars: BTreeSet<ByNar>,
    /// Why paths are hidden.
    withdrawn: BTreeMap<PathHash, String>,
    nar_bytes: u64,
}

impl Nar {
    pub fn of(kept: &Kept) -> Self {
        Self { file_hash: kept.file_hash, file_size: kept.file_size }
    }
}

impl Space {
    pub fn new(row: SpaceRow) -> Self {
        Self::holding(row, BTreeMap::new(), Vec::new())
    }

    /// With these paths, and the reasons of those that are hidden. Made at once, the maps have no room left over.
    pub fn holding(
        row: SpaceRow,
        withdrawn: BTreeMap<PathHash, String>,
        mut paths: Vec<(PathHash, Arc<Kept>)>,
    ) -> Self {
        let nar_bytes = sum(&paths);
        let by_nar = paths.iter().map(|(_, kept)| (kept.nar_hash, Arc::clone(kept))).collect();
        // Sorting is most of the work, and there are two to be sorted.
        let (paths, nars) = thread::scope(|scope| {
            let nars = scope.spawn(|| sorted(by_nar));
            paths.sort_unstable_by_key(|(hash, _)| *hash);
            (paths.into_iter().collect(), nars.join().unwrap_or_default())
        });
        Self { row, paths, nars, withdrawn, nar_bytes }
    }

    /// A view of what its cache holds under these numbers, which are in order. Returns those too that the cache does not
    /// hold, or not signed yet. What is sorted there is so here as well.
    #[expect(clippy::mutable_key_type, reason = "they are in the order of a hash that never changes")]
    pub fn within(
        row: SpaceRow,
        withdrawn: BTreeMap<PathHash, String>,
        (source, numbers): (&Self, &[i64]),
    ) -> (Self, Vec<i64>) {
        let mut is_found = vec![false; numbers.len()];
        let place = |kept: &Kept| numbers.binary_search(&kept.number).ok().filter(|_| kept.is_signed());
        let mut paths = Vec::with_capacity(numbers.len().min(source.paths.len()));
        for (hash, kept) in &source.paths {
            let Some(found) = place(kept).and_then(|place| is_found.get_mut(place)) else { continue };
            *found = true;
            if !withdrawn.contains_key(hash) {
                paths.push((*hash, Arc::clone(kept)));
            }
        }
        let missing = numbers.iter().zip(&is_found).filter(|(_, is_found)| !**is_found);
        let missing = missing.map(|(number, _)| *number).collect();
        let mut by_nar = Vec::with_capacity(paths.len());
        by_nar.extend(source.nars.iter().filter(|named| place(&named.0).is_some()).cloned());
        let mut nars: BTreeSet<ByNar> = by_nar.into_iter().collect();
        if nars.len() < paths.len() || !withdrawn.is_empty() {
            // The cache names one path of each NAR, which need not be one of the view.
            nars = sorted(paths.iter().map(|(_, kept)| (kept.nar_hash, Arc::clone(kept))).collect());
        }
        let nar_bytes = sum(&paths);
        (Self { row, paths: paths.into_iter().collect(), nars, withdrawn, nar_bytes }, missing)
    }

    /// Whether what it sends bears the server's own signature.
    pub fn is_signed(&self) -> bool {
        self.row.signs || self.row.source.is_some()
    }

    /// Makes a path visible, or what is said of it new.
    pub fn add(&mut self, path: &PathRow) {
        let Some(kept) = Kept::of(path) else {
            tracing::error!("{}: its narinfo in the records is not of its NAR, so it is not served", path.base);
            return;
        };
        let (nar_size, kept) = (kept.nar_size, Arc::new(kept));
        if self.paths.insert(path.hash, Arc::clone(&kept)).is_none() {
            self.nar_bytes = self.nar_bytes.saturating_add(nar_size);
        }
        self.nars.replace(ByNar(kept));
    }

    pub fn path(&self, hash: PathHash) -> Option<&Arc<Kept>> {
        self.paths.get(&hash)
    }

    /// A narinfo as it is sent from here.
    pub fn narinfo(&self, hash: PathHash) -> Option<Vec<u8>> {
        self.paths.get(&hash).map(|kept| kept.narinfo(self.is_signed()))
    }

    pub fn nar(&self, nar_hash: Sha256) -> Option<Nar> {
        self.path_of(nar_hash).map(|kept| Nar::of(kept))
    }

    /// A path that has a NAR; of several any.
    pub fn path_of(&self, nar_hash: Sha256) -> Option<&Arc<Kept>> {
        self.nars.get(&nar_hash).map(|named| &named.0)
    }

    pub fn withdrawn(&self, hash: PathHash) -> Option<&str> {
        self.withdrawn.get(&hash).map(String::as_str)
    }

    pub fn paths_count(&self) -> usize {
        self.paths.len()
    }

    /// Of all visible paths together, unpacked.
    pub fn nar_bytes(&self) -> u64 {
        self.nar_bytes
    }
}

fn sum(paths: &[(PathHash, Arc<Kept>)]) -> u64 {
    paths.iter().fold(0, |sum, (_, kept)| sum.saturating_add(kept.nar_size))
}

/// Sorted while the hashes stand beside each other: to look each up in its path would take far longer.
#[expect(clippy::mutable_key_type, reason = "they are in the order of a hash that never changes")]
fn sorted(mut nars: Vec<(Sha256, Arc<Kept>)>) -> BTreeSet<ByNar> {
    nars.sort_unstable_by_key(|(hash, _)| *hash);
    nars.into_iter().map(|(_, kept)| ByNar(kept)).collect()
}

/// A narinfo with the server's own signature behind those that it came with. The order of fields is free to Nix.
pub(crate) fn ready(narinfo: &str, signatures: Option<&str>) -> Box<[u8]> {
    let mut text = narinfo.to_owned();
    for signature in signatures.into_iter().flat_map(str::lines) {
        text.extend(["Sig: ", signature, "\n"]);
    }
    text.into_bytes().into_boxed_slice()
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
