//! Packs of either kind: those that one server appends to, and those that are put whole.

use std::time::Instant;

use super::super::ObjectError;
use super::index::Index;
use super::pack::{Growing, Listed, Pack};
use super::sealed::{PackReader, Sealed};

#[derive(Debug)]
pub(super) enum Packs {
    Growing(Growing),
    Sealed(Sealed),
}

impl Packs {
    /// A pack to append to, that nobody else appends to meanwhile.
    pub(super) fn take(&self) -> Result<Pack, ObjectError> {
        match self {
            Self::Growing(growing) => growing.take(),
            Self::Sealed(sealed) => sealed.spool(),
        }
    }

    /// Has all that was appended where it stays; the number that it is known by from then on.
    pub(super) fn settle(&self, pack: &mut Pack, index: &Index) -> Result<u32, ObjectError> {
        match self {
            Self::Growing(_) => {
                pack.sync()?;
                Ok(pack.number)
            }
            Self::Sealed(sealed) => {
                // The number comes first: a pack that no row speaks of is one that nobody needs.
                let number = index.new_pack(pack.size)?;
                sealed.put(pack, number)?;
                Ok(number)
            }
        }
    }

    /// Puts a pack back behind what was appended.
    pub(super) fn put_back(&self, pack: Pack) {
        match self {
            Self::Growing(growing) => growing.put_back(pack),
            Self::Sealed(_) => Sealed::drop_spool(&pack),
        }
    }

    /// Puts a pack back as it was before somebody appended to it in vain.
    pub(super) fn take_back(&self, pack: Pack, end: u64) {
        match self {
            Self::Growing(growing) => growing.take_back(pack, end),
            Self::Sealed(_) => Sealed::drop_spool(&pack),
        }
    }

    /// A pack to read from.
    pub(super) fn reader(&self, number: u32) -> Result<PackReader, ObjectError> {
        match self {
            Self::Growing(growing) => growing.reader(number).map(PackReader::File),
            Self::Sealed(sealed) => sealed.reader(number),
        }
    }

    /// Whether packs can be had, where opening them did not tell.
    pub(super) fn ask_for(&self, numbers: impl Iterator<Item = u32>, now: Instant) -> Result<(), ObjectError> {
        match self {
            Self::Growing(_) => Ok(()),
            Self::Sealed(sealed) => sealed.ask_for(numbers, now),
        }
    }

    /// What is there.
    pub(super) fn list(&self) -> Result<Listed, ObjectError> {
        match self {
            Self::Growing(growing) => growing.list(),
            Self::Sealed(sealed) => sealed.list(),
        }
    }
}
