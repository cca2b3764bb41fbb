//! Applies a delta: every key it names gets the newest value, everything else stays, and the checksum decides.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Read;

use aux_core::limits::DELTA_UNPACKED_BYTES_MAX;

use super::super::bytes::Reader;
use super::super::read::{Damaged, Index, IndexError};
use super::super::table::{Table, TableWriter};
use super::super::write::assemble;
use super::super::{SECTIONS, Section};
use super::blocks::{Group, groups, join};
use super::touched::Within;
use super::{GONE, MAGIC, ORDER, REPLACE, SET, Shape, Touched, VERSION, checksum, shape};

/// Why a delta could not be applied. The old index is as good as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    #[error("not an index delta (it does not begin with the delta's magic bytes)")]
    Foreign,
    #[error("the delta has format version {found}; this program reads version {VERSION}")]
    Version { found: u32 },
    #[error("the delta cannot be unpacked: {reason}")]
    Packing { reason: String },
    #[error("the delta unpacks to more than {limit_bytes} bytes (DELTA_UNPACKED_BYTES_MAX)")]
    Enormous { limit_bytes: u64 },
    #[error("the delta is damaged: section {section} does not decode")]
    Section { section: usize },
    #[error("the index the delta is applied to: {0}")]
    Base(IndexError),
    #[error("the delta does not fit this index: what it makes has another checksum than it announces")]
    Checksum,
}

/// What a delta says of one key.
enum Change<'d> {
    Gone,
    Set(&'d [u8]),
    Patch { lead: &'d [u8], groups: Vec<Group<'d>>, replaces: bool },
}

type Changes<'d> = BTreeMap<Vec<u8>, Change<'d>>;

/// The newest index, made from an older one and a delta that covers it.
pub fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let (announced, payload) = unpack(delta)?;
    let changes = read(&payload)?;
    let index = Index::open(base).map_err(DeltaError::Base)?;
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    for (number, (section, changes)) in ORDER.into_iter().zip(&changes).enumerate() {
        let merged =
            merge(section, index.table(section), changes).map_err(|Damaged| DeltaError::Section { section: number })?;
        if let Some(slot) = sections.get_mut(number) {
            *slot = merged;
        }
    }
    let newest = assemble(&sections);
    if checksum(&newest) != Some(announced) {
        return Err(DeltaError::Checksum);
    }
    Ok(newest)
}

impl Touched {
    /// The keys a delta names, so that a publisher can join steps without the indexes they were made from.
    pub fn of_delta(delta: &[u8]) -> Result<Self, DeltaError> {
        let (_, payload) = unpack(delta)?;
        let mut touched = Self::default();
        for (keys, changes) in touched.sections.iter_mut().zip(read(&payload)?) {
            for (key, change) in changes {
                let within = match change {
                    Change::Patch { groups, replaces: false, .. } => {
                        Within::Advisories(groups.iter().map(|group| group.advisory).collect())
                    }
                    Change::Gone | Change::Set(_) | Change::Patch { .. } => Within::All,
                };
                keys.insert(key, within);
            }
        }
        Ok(touched)
    }
}

/// The checksum of the index a delta leads to, and its payload.
pub(super) fn unpack(delta: &[u8]) -> Result<([u8; 32], Vec<u8>), DeltaError> {
    let (magic, rest) = delta.split_first_chunk::<8>().ok_or(DeltaError::Foreign)?;
    if *magic != MAGIC {
        return Err(DeltaError::Foreign);
    }
    let cut = || DeltaError::Packing { reason: "it ends within its header".to_owned() };
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(DeltaError::Version { found });
    }
    let (announced, packed) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
    let failed = |error: std::io::Error| DeltaError::Packing { reason: error.to_string() };
    let mut payload = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(failed)?;
    let read = decoder.take(DELTA_UNPACKED_BYTES_MAX + 1).read_to_end(&mut payload).map_err(failed)?;
    if read as u64 > DELTA_UNPACKED_BYTES_MAX {
        return Err(DeltaError::Enormous { limit_bytes: DELTA_UNPACKED_BYTES_MAX });
    }
    Ok((*announced, payload))
}

fn read(payload: &[u8]) -> Result<[Changes<'_>; SECTIONS], DeltaError> {
    let mut reader = Reader::new(payload);
    let mut all: [Changes<'_>; SECTIONS] = Default::default();
    for (number, (section, changes)) in ORDER.into_iter().zip(&mut all).enumerate() {
        *changes = read_section(&mut reader, section).ok_or(DeltaError::Section { section: number })?;
    }
    if reader.is_empty() { Ok(all) } else { Err(DeltaError::Section { section: SECTIONS }) }
}

fn read_section<'d>(reader: &mut Reader<'d>, section: Section) -> Option<Changes<'d>> {
    let mut changes = Changes::new();
    let mut key = Vec::new();
    for place in 0..reader.varint()? {
        let shared = usize::try_from(reader.varint()?).ok()?;
        let rest = usize::try_from(reader.varint()?).ok()?;
        let rest = reader.take(rest)?;
        let before = key.clone();
        if shared > key.len() {
            return None;
        }
        key.truncate(shared);
        key.extend_from_slice(rest);
        if place > 0 && key <= before {
            return None;
        }
        changes.insert(key.clone(), read_change(reader, section)?);
    }
    Some(changes)
}

fn read_change<'d>(reader: &mut Reader<'d>, section: Section) -> Option<Change<'d>> {
    let said = reader.byte()?;
    if said == GONE {
        return Some(Change::Gone);
    }
    let Shape::Block { lead_bytes } = shape(section) else {
        if said != SET {
            return None;
        }
        let length = usize::try_from(reader.varint()?).ok()?;
        return Some(Change::Set(reader.take(length)?));
    };
    let replaces = match said {
        SET => false,
        REPLACE => true,
        _ => return None,
    };
    let lead = reader.take(lead_bytes)?;
    let mut groups: Vec<Group<'d>> = Vec::new();
    let mut advisory = 0_u64;
    for place in 0..reader.varint()? {
        let distance = reader.varint()?;
        if place > 0 && distance == 0 {
            return None;
        }
        advisory = advisory.checked_add(distance)?;
        let length = usize::try_from(reader.varint()?).ok()?;
        groups.push(Group { advisory, bytes: reader.take(length)? });
    }
    Some(Change::Patch { lead, groups, replaces })
}

/// Walks the old table and the changes side by side.
fn merge(section: Section, old: Table<'_>, changes: &Changes<'_>) -> Result<Vec<u8>, Damaged> {
    let mut table = TableWriter::default();
    let mut changes = changes.iter().peekable();
    let mut entries = old.entries();
    while let Some(value) = entries.advance()? {
        let key = entries.key();
        // Keys that were not there stand before this one.
        while let Some((new, change)) = changes.next_if(|(new, _)| new.as_slice() < key) {
            put(&mut table, new, change, None, section)?;
        }
        match changes.next_if(|(same, _)| same.as_slice() == key) {
            Some((_, change)) => put(&mut table, key, change, Some(value), section)?,
            None => table.push(key, value),
        }
    }
    for (new, change) in changes {
        put(&mut table, new, change, None, section)?;
    }
    Ok(table.finish())
}

fn put(
    table: &mut TableWriter,
    key: &[u8],
    change: &Change<'_>,
    old: Option<&[u8]>,
    section: Section,
) -> Result<(), Damaged> {
    match change {
        Change::Gone => {}
        Change::Set(value) => table.push(key, value),
        Change::Patch { lead, groups: new, replaces } => {
            let Shape::Block { lead_bytes } = shape(section) else { return Err(Damaged) };
            let old = old.filter(|_| !replaces).and_then(|old| old.get(lead_bytes..)).unwrap_or_default();
            let old = groups(old)?;
            table.push(key, &join(lead, united(&old, new)).ok_or(Damaged)?);
        }
    }
    Ok(())
}

/// The old groups with the new ones in their places; a new one without bytes takes the old one away.
fn united<'g>(old: &[Group<'g>], new: &[Group<'g>]) -> Vec<Group<'g>> {
    let mut united = Vec::with_capacity(old.len() + new.len());
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.advisory.cmp(&right.advisory),
        };
        let kept = if order.is_le() { old.next() } else { None };
        let set = if order.is_ge() { new.next() } else { None };
        united.extend(set.or(kept).filter(|group| !group.bytes.is_empty()).copied());
    }
    united
}
