//! NARs in chunks: what many of them have in common is kept once, in packs of many chunks each.
//!
//! A NAR is the frames of its chunks one behind the other, which is a zstd stream like any other
//! (docs/formats/cache-store.md).

pub(crate) mod cut;
pub(crate) mod frame;
pub(crate) mod index;
mod opened;
mod pack;
mod packs;
mod present;
mod read;
mod recipe;
pub(crate) mod reference;
mod sealed;
mod shelve;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aux_nix::Sha256;

use super::{ObjectError, classified};
use crate::records::Records;
pub(crate) use index::At;
use index::{Chunk, Index, NarRow};
use opened::Opened;
use pack::Growing;
pub(crate) use pack::{name as pack_name, number as pack_number};
use packs::Packs;
pub(crate) use read::Reading;
pub(crate) use sealed::Place;
use sealed::{PackReader, Sealed};
pub(crate) use shelve::{KnownChunk, SentChunk, Shelved, Shelving};

const INDEX: &str = "chunks.sqlite";
const FOLDER: &str = "packs";
/// How often a NAR is looked up anew because its pack was moved between two looks.
const LOOKS_MAX: usize = 4;
/// Of the NARs with a chunk so many are looked at to see whether somebody may know of it; in doubt it is sent.
const NARS_ASKED_MAX: u32 = 64;

/// Packs and their index.
#[derive(Debug)]
pub(crate) struct Chunks {
    index: Index,
    packs: Packs,
    folder: PathBuf,
    store_directory: String,
    /// Chunks that arriving NARs found here, and by how many: collection spares them.
    used: Mutex<BTreeMap<i64, u64>>,
    /// Other servers read the packs, so that none is written.
    is_shared: bool,
    /// Held while packs are written anew.
    sweeping: Mutex<()>,
    opened: Opened,
}

/// Something of the chunk tier that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DamageError {
    #[error("the index of chunks does not say any more how the NAR is made")]
    Recipe,
}

impl Chunks {
    /// Opens packs and index below `data`, and makes them where they are missing. The caller holds the lock of `data`.
    pub(crate) fn open(data: &Path, store_directory: &str) -> Result<Self, ObjectError> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|cause| classified(&folder, cause))?;
        let index = Index::open(&data.join(INDEX))?;
        let ends = index.packs()?.into_iter().map(|(number, (end, _))| (number, end)).collect();
        let packs = Packs::Growing(Growing::open(folder.clone(), &ends)?);
        Ok(Self::of(index, packs, folder, store_directory))
    }

    /// Whether there ever were any below `data`.
    pub(crate) fn are_in(data: &Path) -> bool {
        data.join(INDEX).is_file()
    }

    /// Opens what is there without touching a pack: other servers may be reading them.
    pub(crate) fn open_to_read(data: &Path, store_directory: &str) -> Result<Self, ObjectError> {
        let folder = data.join(FOLDER);
        let index = Index::open(&data.join(INDEX))?;
        let packs = Packs::Growing(Growing::open_to_read(folder.clone()));
        Ok(Self { is_shared: true, ..Self::of(index, packs, folder, store_directory) })
    }

    /// Those that several servers write, in a folder or a bucket that all see, whose index is with the records. `incoming` is
    /// this server's own.
    pub(crate) fn open_sealed(
        records: Arc<Records>,
        place: Place,
        incoming: &Path,
        store_directory: &str,
    ) -> Result<Self, ObjectError> {
        let at = match &place {
            Place::Folder(_) => At::Folder,
            Place::Bucket(_) => At::Bucket,
        };
        let sealed = Sealed::new(place, incoming)?;
        let folder = sealed.path();
        let index = Index::within(records, at);
        Ok(Self { is_shared: true, ..Self::of(index, Packs::Sealed(sealed), folder, store_directory) })
    }

    fn of(index: Index, packs: Packs, folder: PathBuf, store_directory: &str) -> Self {
        let (used, sweeping, is_shared, opened) = Default::default();
        Self { index, packs, folder, store_directory: store_directory.to_owned(), used, sweeping, is_shared, opened }
    }

    /// A place for a NAR that arrives.
    pub(crate) fn shelve(&self) -> Shelving<'_> {
        Shelving::new(self)
    }

    pub(crate) fn has(&self, nar_hash: Sha256) -> Result<bool, ObjectError> {
        Ok(self.index.has(nar_hash)?)
    }

    /// A NAR that was opened by [`Self::open_to_send`] not long ago.
    pub(crate) fn opened(&self, nar_hash: Sha256) -> Option<Arc<Reading>> {
        self.opened.find(nar_hash, Instant::now())
    }

    /// A NAR that may be asked for again soon; `None` where it is not here.
    pub(crate) fn open_to_send(&self, nar_hash: Sha256) -> Result<Option<Arc<Reading>>, ObjectError> {
        let reading = self.reading(nar_hash)?.map(Arc::new);
        // Where another server sweeps, packs of a folder that were removed would stay open here; of a bucket none is open, and
        // what is believed of it ends long before a pack that nobody needs is removed.
        if let Some(reading) = reading.as_ref().filter(|_| !self.is_shared || self.is_remote()) {
            self.opened.keep(nar_hash, reading);
        }
        Ok(reading)
    }

    /// A NAR to be read, each chunk of which is checked in full; `None` where it is not here.
    pub(crate) fn reading(&self, nar_hash: Sha256) -> Result<Option<Reading>, ObjectError> {
        let mut looks = 1;
        loop {
            let Some(row) = self.index.nar(nar_hash)? else { return Ok(None) };
            let now = Instant::now();
            match self.open_packs(&row, now) {
                Ok(packs) => {
                    let reading = Reading::new(row, packs, now);
                    return reading
                        .map(Some)
                        .map_err(|error| self.failed(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
                Err(ObjectError::File { cause, .. })
                    if cause.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX =>
                {
                    looks += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Every pack that the NAR needs: none is missing when this returns.
    fn open_packs(&self, row: &NarRow, now: Instant) -> Result<BTreeMap<u32, PackReader>, ObjectError> {
        let numbers: BTreeSet<u32> = row.chunks.iter().map(|chunk| chunk.pack).collect();
        self.packs.ask_for(numbers.iter().copied(), now)?;
        numbers.into_iter().map(|number| Ok((number, self.packs.reader(number)?))).collect()
    }

    /// Forgets a NAR; one that is not there is no error. Its chunks go with the next [`Self::sweep`].
    pub(crate) fn remove(&self, nar_hash: Sha256) -> Result<(), ObjectError> {
        Ok(self.index.forget(nar_hash)?)
    }

    /// Every NAR, and what lies among the packs that is none.
    pub(crate) fn list(&self) -> Result<(Vec<Sha256>, Vec<PathBuf>), ObjectError> {
        let (_, foreign) = self.packs.list()?;
        Ok((self.index.nars()?, foreign))
    }

    /// Whether it is in a bucket.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(&self.packs, Packs::Sealed(sealed) if sealed.is_remote())
    }

    /// Whether no NAR is here.
    pub(crate) fn is_empty(&self) -> Result<bool, ObjectError> {
        Ok(self.index.nars()?.is_empty())
    }

    /// How many bytes the NARs have that are here, and how many the packs have.
    pub(crate) fn bytes(&self) -> Result<(u64, u64), ObjectError> {
        let (nars, written) = self.index.bytes()?;
        match &self.packs {
            Packs::Growing(growing) => Ok((nars, growing.list()?.0.values().sum())),
            Packs::Sealed(_) => Ok((nars, written)),
        }
    }

    /// What is wrong with the index's file.
    pub(crate) fn check(&self) -> Result<Vec<String>, ObjectError> {
        Ok(self.index.check()?)
    }

    /// A chunk of this content. Until [`Self::release`] collection spares it.
    fn find(&self, digest: &[u8; 32]) -> Result<Option<Chunk>, ObjectError> {
        if self.is_shared {
            // What is unused goes long after that is written down, and is not found meanwhile.
            return Ok(self.index.find(digest)?);
        }
        let mut used = self.used();
        let found = self.index.find(digest)?;
        if let Some(chunk) = &found {
            *used.entry(chunk.number).or_default() += 1;
        }
        Ok(found)
    }

    /// [`Self::find`] for somebody who may know of the NARs that `may_refer` holds of, and of no others.
    fn find_for(&self, digest: &[u8; 32], may_refer: &dyn Fn(Sha256) -> bool) -> Result<Option<Chunk>, ObjectError> {
        let Some(chunk) = self.find(digest)? else { return Ok(None) };
        let nars = self.index.nars_with(chunk.number, NARS_ASKED_MAX);
        if nars.as_ref().is_ok_and(|nars| nars.iter().any(|nar| may_refer(*nar))) {
            return Ok(Some(chunk));
        }
        self.release(&[chunk.number]);
        nars.map(|_| None).map_err(ObjectError::from)
    }

    /// Whether a chunk of this content need not be sent by them.
    pub(crate) fn knows(&self, digest: &[u8; 32], may_refer: &dyn Fn(Sha256) -> bool) -> Result<bool, ObjectError> {
        let found = self.find_for(digest, may_refer)?;
        if let Some(chunk) = &found {
            self.release(&[chunk.number]);
        }
        Ok(found.is_some())
    }

    fn release(&self, numbers: &[i64]) {
        let mut used = self.used();
        for number in numbers {
            if let Some(count) = used.get_mut(number) {
                *count -= 1;
                if *count == 0 {
                    used.remove(number);
                }
            }
        }
    }

    fn forget_unused(&self) -> Result<(), ObjectError> {
        let used = self.used();
        self.index.forget_chunks(&|number| used.contains_key(&number))?;
        Ok(())
    }

    /// A chunk's frame with zeros in its holes, checked.
    fn fetch(&self, chunk: &Chunk) -> Result<Vec<u8>, ObjectError> {
        let pack = self.packs.reader(chunk.pack)?;
        chunk.fetch(&pack).map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> ObjectError {
        classified(&self.folder, cause)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<i64, u64>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
